"""Who came, who was refused and who changed what: a line each in `logs/access.jsonl`, and never a secret.

Refusals are summed for each address and minute: whoever tries many tokens does not fill the disk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.observability import tail
from exai_trio.observability.line_file import LineFile
from exai_trio.observability.times import rfc3339
from exai_trio.system.private_files import append_private, replace_private

FILE: Final = "access.jsonl"
KEPT_S: Final = 90 * 86400.0
ROTATE_BYTES: Final = 20 * 2**20
_MINUTE_S: Final = 60
_MOST_ADDRESSES: Final = 256  # in a minute; what comes from others is summed as theirs
_OTHERS: Final = "others"
_DAY_S: Final = 86400.0
_LOOKED_AT: Final = 5_000  # lines
_DATE: Final = 19  # characters of a time, down to the second


@structs.define(eq=False)
class AccessLog:
    """Lines wait in memory until `write`. `now` is the time of day; by one that is not trusted nothing is old."""

    lines: LineFile[dict[str, Any]]
    now: Callable[[], float]
    is_clock_trusted: Callable[[], bool]
    _forget_at: float = 0.0
    _refused: dict[tuple[int, str], int] = attrs.field(factory=dict[tuple[int, str], int])

    @classmethod
    def of(
        cls, logs: Path, now: Callable[[], float], is_clock_trusted: Callable[[], bool]
    ) -> "AccessLog":
        return cls(LineFile(logs / FILE, rotate_bytes=ROTATE_BYTES), now, is_clock_trusted)

    def note(self, event: str, **facts: object) -> None:
        """One line; facts that are empty are left out."""
        self.lines.add(_line(self.now(), event, facts))

    def refuse(self, address: str) -> None:
        """Count a hello or request that was refused."""
        minute = int(self.now() // _MINUTE_S)
        known = (minute, address) in self._refused or len(self._refused) < _MOST_ADDRESSES
        key = (minute, address if known else _OTHERS)
        self._refused[key] = self._refused.get(key, 0) + 1

    def gather(self, *, everything: bool = False) -> float | None:
        """Make lines of the refusals, those of the present minute only with `everything`. Returns before when lines are too old, once
        a day."""
        now = self.now()
        minute = int(now // _MINUTE_S)
        for key in [key for key in self._refused if everything or key[0] < minute]:
            began, address = key
            facts = {"address": address, "count": self._refused.pop(key)}
            self.lines.add(_line(began * _MINUTE_S, "refused", facts))
        if now < self._forget_at or not self.is_clock_trusted():
            return None
        self._forget_at = now + _DAY_S
        return now - KEPT_S

    def write(self, before: float | None = None) -> None:
        """Append what waits, and forget what is older than that time. Blocks on the disk: call it in a thread. Raises OSError, and then
        keeps the lines."""
        self.lines.flush()
        if before is not None:
            forget_old(self.lines.path.parent, before)


def _line(at: float, event: str, facts: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in facts.items() if value not in {None, ""}}
    return {"t": rfc3339(at), "event": event, **kept}


def append_line(logs: Path, at: float, event: str, **facts: object) -> None:
    """One line from a command. Blocks on the disk. Raises OSError."""
    data = msgspec.json.encode(_line(at, event, facts)) + b"\n"
    append_private(logs / FILE, data, rotate_bytes=ROTATE_BYTES)


def read_lines(logs: Path) -> Iterator[dict[str, Any]]:
    """All that are kept, oldest first; what is no line of ours is left out. Blocks on the disk. Raises OSError."""
    for path in (logs / f"{FILE}.1", logs / FILE):
        if path.exists():
            yield from _decoded(path.read_bytes().splitlines())


def newest_lines(logs: Path) -> Iterator[dict[str, Any]]:
    """The last thousands, oldest first. Blocks on the disk."""
    return _decoded(line.encode() for line in tail.newest_lines(logs / FILE, _LOOKED_AT))


def _decoded(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b"{") and line.endswith(b"}"):
            yield msgspec.json.decode(line)


def is_of(line: Mapping[str, Any], who: str | None) -> bool:
    """Whether a line is of this name: that did it, or that it was done to. All are of None."""
    return who is None or bool({line.get("who"), line.get("on")} & {who, f"jwt:{who}"})


def forget_old(logs: Path, before: float) -> None:
    """Drop lines from before this time. Blocks on the disk. Raises OSError; then they are kept."""
    oldest = f'{{"t":"{rfc3339(before)[:_DATE]}'.encode()
    for path in (logs / f"{FILE}.1", logs / FILE):
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if line[: len(oldest)] >= oldest]
        if len(kept) < len(lines):
            replace_private(path, b"".join(kept))
