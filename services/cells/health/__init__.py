"""Health endpoints and the sweep that compares every cell with what it should be."""
