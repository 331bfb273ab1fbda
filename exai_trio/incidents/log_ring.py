"""The newest lines of the log in memory, as far as an incident may show them: fixed phrases, and keys that hold nothing of users'."""

import logging
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from exai_trio.observability.logs import correlation_id
from exai_trio.observability.times import rfc3339

_KEPT: Final = 2_000  # of about 400 bytes: below 1 MB
_TOLD: Final = 40
_TOLD_OF_ALL: Final = 10  # where nothing says which lines belong to it
_LONGEST: Final = 80
# Texts under any other key may be of a user, a model or a file.
_SHOWN: Final = frozenset(
    [
        "attempt",
        "category",
        "code",
        "correlation_id",
        "job",
        "kind",
        "limit",
        "model",
        "name",
        "outcome",
        "provider",
        "request_id",
        "session",
        "signal",
        "stage",
        "state",
        "tool",
        "version",
        "what",
    ]
)
_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_Line = tuple[float, str, str, str, str, dict[str, Any]]


class LogRing(logging.Handler):
    """Keeps no record, since that would keep what its trace holds."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[_Line] = deque(maxlen=_KEPT)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock, which nothing here needs: each line of the log passes."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        found = vars(record)
        keys = {key: _short(found[key]) for key in sorted(found.keys() - _PLAIN)}
        phrase = record.msg if isinstance(record.msg, str) else ""
        under = correlation_id.get() or str(keys.get("correlation_id", ""))
        self._lines.append((record.created, record.levelname, record.name, phrase, under, keys))

    def of(self, correlation: str) -> list[str]:
        """The last lines under this id; without one, of all."""
        found = [line for line in self._lines if not correlation or line[4] == correlation]
        return [_text(line) for line in found[-(_TOLD if correlation else _TOLD_OF_ALL) :]]


def _short(value: object) -> str | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value[:_LONGEST] if isinstance(value, str) else type(value).__name__


def _text(line: _Line) -> str:
    created, level, logger, phrase, _, keys = line
    told = " ".join(f"{key}={value}" for key, value in _shown(keys))
    return f"{rfc3339(created)} {level} {logger}: {phrase} {told}".rstrip()


def _shown(keys: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return (
        (key, value) for key, value in keys.items() if key in _SHOWN or not isinstance(value, str)
    )
