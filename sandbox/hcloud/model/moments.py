"""Times as the API writes them."""

from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, whole seconds, as the original does."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def iso_or_none(seconds: float | None) -> str | None:
    """Return the same, or None for a time that has not come."""
    return None if seconds is None else iso(seconds)
