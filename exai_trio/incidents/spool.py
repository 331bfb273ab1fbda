"""Incidents of a process that cannot keep them itself: lines of a file, which the next daemon takes up."""

import errno
import json
import logging
import os
from pathlib import Path
from typing import Any, Final, cast

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.storage.watching.incident_records import MOST_CALLS, Occurrence
from exai_trio.system.private_files import AT_ONCE, append_whole, private_directory

log = logging.getLogger("exai.incidents")

_FILE: Final = "incidents.spool.jsonl"
_MOST_BYTES: Final = 4 * 1024 * 1024
_MODE: Final = 0o600


@structs.frozen
class Spool:
    """Blocking. Several processes may add at once; one takes."""

    path: Path

    @classmethod
    def of(cls, config: Config) -> "Spool":
        return cls(config.state / _FILE)

    def add(self, seen: Occurrence) -> None:
        """Raises OSError, also if the file is full."""
        line = json.dumps(attrs.asdict(seen)).encode() + b"\n"
        private_directory(self.path.parent)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | AT_ONCE, _MODE)
        try:
            if os.fstat(descriptor).st_size + len(line) > _MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(self.path))
            append_whole(descriptor, line)
        finally:
            os.close(descriptor)

    def take(self) -> tuple[Occurrence, ...]:
        """What stands in the file, which has another name until `done`; also what was taken before and is not done. Lines that
        cannot be read are left out. Raises OSError."""
        if not self._taken.exists():
            if not self.path.exists():
                return ()
            self.path.replace(self._taken)
        lines = self._taken.read_bytes()[:_MOST_BYTES].splitlines()
        return tuple(seen for line in lines if (seen := _read(line)) is not None)

    def done(self) -> None:
        """What was taken is kept elsewhere. Raises OSError."""
        self._taken.unlink(missing_ok=True)

    @property
    def _taken(self) -> Path:
        return self.path.with_suffix(".taken")


_TEXTS: Final = ("error_hash", "kind", "severity", "error_type", "message", "version")


def _read(line: bytes) -> Occurrence | None:
    try:
        told: object = json.loads(line)
    except ValueError as fault:
        log.warning("a spooled incident cannot be read", extra={"reason": str(fault)})
        return None
    if not isinstance(told, dict):
        return None
    fields = cast("dict[str, Any]", told)
    count, first, last, context = (
        fields.get(n) for n in ("count", "first_at", "last_at", "context")
    )
    texts = {name: _text(fields.get(name)) for name in _TEXTS}
    known = all(isinstance(text, str) for text in texts.values()) and texts["kind"] in {
        "bug",
        "world",
    }
    if not (
        known and isinstance(count, int) and isinstance(first, float) and isinstance(last, float)
    ):
        return None
    return Occurrence(
        **cast("dict[str, str]", texts),
        context=cast("dict[str, Any]", context) if isinstance(context, dict) else {},
        count=max(1, count),
        first_at=first,
        last_at=last,
        calls=_calls(fields.get("calls")),
    )


def _calls(told: object) -> tuple[str, ...]:
    listed = cast("list[object]", told) if isinstance(told, list) else []
    return tuple(each for one in listed if (each := _text(one)) is not None)[:MOST_CALLS]


def _text(told: object) -> str | None:
    """As a store takes it: half a character (a lone surrogate) is a question mark."""
    return told.encode(errors="replace").decode() if isinstance(told, str) else None
