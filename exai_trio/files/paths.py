"""Which paths a tool may read: absolute, and inside an allowed root once every link is resolved. Pure: nothing is opened here.

The same message answers for a path outside the roots whether or not something is there.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from exai_trio.errors import ArgumentError

SETTING = "EXAI_ALLOWED_ROOTS"
_LONGEST = 4096  # characters
_SHOWN = 200  # characters of a path in a message


def parse(given: str) -> Path:
    """The path as written. Raises: ArgumentError if it is relative or can be no path at all."""
    if len(given) > _LONGEST:
        raise ArgumentError(
            f"A path of {len(given)} characters names no file; {_LONGEST} is the most.",
            details={"path": shown(given)},
        )
    if not given.strip() or "\0" in given:
        raise ArgumentError(
            "An empty path, or one with a NUL character, names no file.",
            details={"path": shown(given)},
        )
    written = Path(given)
    if not written.is_absolute():
        raise ArgumentError(
            f"{shown(given)!r} is a relative path. Give an absolute path inside an allowed root ({SETTING}).",
            details={"path": shown(given), "setting": SETTING},
        )
    return written


def check_inside(given: str, resolved: Path, roots: Iterable[Path]) -> None:
    """Raises: ArgumentError unless `resolved`, a path without links and `..`, is a root or lies inside one."""
    allowed = tuple(roots)
    if not any(_is_within(str(resolved), str(root)) for root in allowed):
        names = ", ".join(map(str, allowed)) or "none is set"
        raise ArgumentError(
            f"{shown(given)!r} is outside the allowed roots ({names}). Name a file inside them, or set {SETTING}.",
            details={"path": shown(given), "setting": SETTING},
        )


def _is_within(path: str, root: str) -> bool:
    """Of paths as pathlib writes them; `is_relative_to` is slow for hundreds of files."""
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)


def shown(given: str) -> str:
    """A path fit for a message or a prompt: one line, not too long."""
    beginning = given[: _SHOWN + 1]
    one_line = "".join(c if c.isprintable() else "�" for c in beginning)
    return one_line if len(one_line) <= _SHOWN else f"{one_line[: _SHOWN - 1]}…"
