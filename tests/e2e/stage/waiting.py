"""Waiting for conditions, with a deadline for the case that they never come true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

PATIENCE_S = 20.0


async def until(condition: Callable[[], Any], *, within: float = PATIENCE_S) -> Any:
    """What `condition` gives (or what it awaits to) as soon as it is true."""
    found: Any = None
    with trio.move_on_after(within):
        while True:
            found = condition()
            if hasattr(found, "__await__"):
                found = await found
            if found:
                return found
            await trio.sleep(0.02)
    raise AssertionError(f"still {found!r} after {within:g} s: {condition}")


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only its name until somebody asks for its exit code."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
