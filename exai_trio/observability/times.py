"""Times as people and programs read them. Pure: the clock is the caller's."""

from datetime import UTC, datetime, timedelta


def rfc3339(unix: float) -> str:
    """UTC, to the millisecond."""
    return (
        datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def milliseconds(seconds: float) -> float:
    """To the microsecond. `round` to so many digits goes by way of text, and takes three times as long: each call has a dozen of these."""
    return round(seconds * 1_000_000) / 1000


def human(seconds: float) -> str:
    """A duration such as "1 day, 2:03:04"."""
    return str(timedelta(seconds=int(seconds)))
