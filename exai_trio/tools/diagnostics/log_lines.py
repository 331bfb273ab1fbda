"""Lines of EXAI's own logs, chosen by time and pattern.

The pattern is a caller's: it runs in a process that can be stopped.
"""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

import trio

from exai_trio.errors import ArgumentError

Source = Literal["activity", "server"]
Period = tuple[float, float]
"""Since when and until when, in unix seconds."""

ALWAYS: Final[Period] = (-math.inf, math.inf)
PATTERN_S: Final = 5.0
_LONGEST_PATTERN: Final = 500
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_AGO = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Numbers of the lines that match, as JSON. Python's own matcher can take for ever, and holds up all threads meanwhile.
_MATCHER = """
import json, re, sys
pattern, lines = json.load(sys.stdin)
search = re.compile(pattern, re.IGNORECASE).search
json.dump([number for number, line in enumerate(lines) if search(line)], sys.stdout)
"""


def within(texts: Iterable[str], period: Period) -> list[str]:
    """Those of this time; a line without a time of its own has that of the line before it."""
    since, until = period
    kept: list[str] = []
    at = 0.0
    for text in texts:
        found = _ISO.search(text[:400])
        at = (_unix(found.group()) or at) if found else at
        if since <= at <= until:
            kept.append(text)
    return kept


def as_json(text: str, source: Source) -> dict[str, Any]:
    return {"source": source, **(_object(text) or {"text": text})}


def period(since: str, until: str, now: float) -> Period:
    """From a time, or so long ago, to another; "" sets no bound. Raises: ArgumentError."""
    return (
        moment(since, now, "since") if since.strip() else -math.inf,
        moment(until, now, "until") if until.strip() else math.inf,
    )


def moment(given: str, now: float, field: str) -> float:
    """Unix seconds of a time such as 2026-11-20T10:00:00Z, or 15m (ago). Raises: ArgumentError."""
    text = given.strip()
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago.group(1)) * _SECONDS[ago.group(2)]
    at = _unix(text) if _ISO.fullmatch(text) else None
    if at is None:
        raise ArgumentError(
            f"{field} must be a time such as 2026-11-20T10:00:00Z, or 15m, 2h, 1d for so long ago"
            f" (got {text[:80]!r}).",
            details={"field": field, "value": text[:80]},
        )
    return at


def is_plain(pattern: str) -> bool:
    """It matches itself alone, whatever the case."""
    return re.escape(pattern) == pattern


def with_text(lines: list[str], text: str) -> list[str]:
    """Those that have it, whatever the case."""
    wanted = text.lower()
    return [line for line in lines if wanted in line.lower()] if wanted else lines


async def matching(lines: list[str], pattern: str) -> list[str]:
    """Lines in which the regular expression is found, whatever the case. Raises: ArgumentError.
    Cancelling kills the process that searches."""
    asked = json.dumps([pattern, lines]).encode()
    with trio.move_on_after(PATTERN_S):
        done = await trio.run_process(
            [sys.executable, "-I", "-S", "-c", _MATCHER],
            stdin=asked,
            capture_stdout=True,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode == 0:
            return [lines[number] for number in cast("list[int]", json.loads(done.stdout))]
    raise _refusal(pattern, f"took longer than {PATTERN_S:g} s; write a simpler one")


def check(pattern: str) -> None:
    """Raises: ArgumentError."""
    if len(pattern) > _LONGEST_PATTERN:
        raise _refusal(pattern, f"is longer than {_LONGEST_PATTERN} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        raise _refusal(pattern, f"is no regular expression: {fault}") from fault


def _refusal(pattern: str, what: str) -> ArgumentError:
    return ArgumentError(
        f"filter {what} (got {pattern[:80]!r}).", details={"field": "filter", "value": pattern[:80]}
    )


def _unix(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # audit: empty-handler, because None is the answer: no time
        return None


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        return cast("dict[str, Any]", json.loads(text))
    except ValueError:  # audit: empty-handler, because None is the answer: no object
        return None
