"""One builder for each add-on that others wrote: settings to data."""
