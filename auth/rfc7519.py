"""RFC 7519, JSON Web Token: the one way a date in somebody's token is read."""

from datetime import UTC, datetime


def instant(value: object) -> datetime | None:
    """A NumericDate (§2): seconds since 1970. None: not a number, or no date."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
