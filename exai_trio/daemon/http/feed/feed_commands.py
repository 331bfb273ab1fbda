"""What a client of the feed may say: the older system's commands, and auth, subscribe and pause. Pure.

Whatever it says is answered, or is a `BadCommand` that says what is wrong; no answer costs more than a bounded look.
"""

from typing import Any, Final, Literal, cast, get_args

import attrs
import msgspec

from exai_trio import structs

from .told_events import KINDS, MOST_EVENTS

MOST_HOURS: Final = 30 * 24.0
MOST_POINTS: Final = 400
TOPICS: Final = ("overview", "event", "session_metrics", "semaphore_metrics", "websocket_health")
OLD_TOPICS: Final = frozenset(TOPICS) - {"overview"}  # of who has never said what it wants
_SHOWN: Final = 80  # characters of what is wrong
# Where nothing is said.
_LIMIT: Final = 100
_HOURS: Final = 24.0
_MINUTES: Final = 60.0

Name = Literal[
    "get_stats", "get_recent_events", "get_historical_data", "get_time_series", "export", "auth", "subscribe", "pause",
]  # fmt: skip
_NAMES: Final = frozenset[str](get_args(Name))


class BadCommand(Exception):
    """As its text says."""


@structs.frozen(kw_only=True)
class FeedCommand:
    """`kind` is a kind of connection, None for all. Fields that a command does not have are as they are here."""

    name: Name
    kind: str | None = None
    limit: int = _LIMIT
    hours: float = _HOURS
    interval_minutes: float = _MINUTES
    token: str = attrs.field(default="", repr=False)
    topics: frozenset[str] = frozenset()
    paused: bool = True

    @property
    def step_s(self) -> float:
        """Seconds between two points: no more of them than a chart has room for."""
        return max(self.interval_minutes * 60, self.hours * 3600 / MOST_POINTS)


def read_command(text: str | bytes | None) -> FeedCommand:
    """Raises BadCommand."""
    given = _object(text)
    name = given.get("command", given.get("type"))
    if not isinstance(name, str) or name not in _NAMES:
        raise BadCommand(f"unknown command {_short(name)}; known are {', '.join(sorted(_NAMES))}")
    command = FeedCommand(
        name=cast("Name", name),
        kind=_kind(given.get("connection_type")),
        limit=int(_number(given, "limit", _LIMIT, 1, MOST_EVENTS)),
        hours=_number(given, "hours", _HOURS, 1 / 60, MOST_HOURS),
        interval_minutes=_number(given, "interval_minutes", _MINUTES, 1, 24 * 60),
    )
    match name:
        case "auth":
            return attrs.evolve(command, token=_text(given, "token"))
        case "subscribe":
            return attrs.evolve(command, topics=_topics(given.get("topics")))
        case "pause":
            return attrs.evolve(command, paused=given.get("paused", True) is not False)
        case _:
            return command


def _object(text: str | bytes | None) -> dict[str, Any]:
    try:
        found: object = msgspec.json.decode(text or b"")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadCommand(
            'this is no JSON; send an object such as {"command": "get_stats"}'
        ) from None
    if not isinstance(found, dict):
        raise BadCommand('send an object such as {"command": "get_stats"}')
    return cast("dict[str, Any]", found)


def _kind(given: object) -> str | None:
    if given in (None, "", "all"):
        return None
    if given not in KINDS:
        raise BadCommand(f"connection_type must be one of {', '.join(KINDS)}")
    return str(given)


def _number(given: dict[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadCommand(f"{name} must be a number from {least:.3g} to {most:g}")
    return value


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise BadCommand(f"{name} must be a text")
    return value


def _topics(given: object) -> frozenset[str]:
    named = cast("list[object]", given) if isinstance(given, list) else [None]
    unknown = [one for one in named if one not in TOPICS]
    if unknown:
        raise BadCommand(f"topics must be a list of {', '.join(TOPICS)}")
    return frozenset(map(str, named))


def _short(value: object) -> str:
    return ascii(value)[:_SHOWN]
