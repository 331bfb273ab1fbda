"""What a session's processes take of the machine: its keeper, and all that descends from it. Reads the system's files about processes."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exai_trio import structs

from .keeper.system_calls import unless_gone

# Linux tells there.
_PROCESSES: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ENDED: Final = frozenset({"Z", "X"})
_USER, _SYSTEM, _PAGES = 11, 12, 21  # fields of `stat`, counted behind the name


@structs.frozen(kw_only=True)
class Usage:
    """Seconds of processors so far, of what runs now; resident bytes, in which shared ones are counted for each process."""

    cpu_s: float = 0.0
    resident_bytes: int = 0


def usage_of(keeper: int) -> Usage:
    """Nothing where it is gone."""
    found = [_usage(pid) for pid in _family(keeper)]
    return Usage(
        cpu_s=sum(one.cpu_s for one in found),
        resident_bytes=sum(one.resident_bytes for one in found),
    )


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in (_PROCESSES / str(pid) / "task").glob("*/children"):
        for child in _text(path).split():
            yield from _family(int(child))


def _usage(pid: int) -> Usage:
    fields = _text(_PROCESSES / str(pid) / "stat").rpartition(")")[2].split()
    if len(fields) <= _PAGES or fields[0] in _ENDED:
        return Usage()
    return Usage(
        cpu_s=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
        resident_bytes=int(fields[_PAGES]) * resource.getpagesize(),
    )


def _text(path: Path) -> str:
    return unless_gone(path.read_text, "utf-8", "replace") or ""
