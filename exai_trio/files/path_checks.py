"""Whether the paths of a call may be used, found out before anything is read or written. Blocking: for threads only."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import trio

from exai_trio.files import opening, writing

# What a path is for. "read": a file or directory that is there; "file": a file that is there; "inside": whatever may be there
# or not; "write": a new file.
PathUse = Literal["read", "file", "inside", "write"]


def check(given: Iterable[str], use: PathUse, roots: tuple[Path, ...]) -> None:
    """Raises: ArgumentError, NotFoundError for the first path that would be refused when it is used."""
    for name in given:
        trio.from_thread.check_cancelled()
        _check_one(name, use, roots)


def _check_one(given: str, use: PathUse, roots: tuple[Path, ...]) -> None:
    if use == "write":
        writing.find_place(given, roots)
        return
    resolved = opening.resolve(given, roots)
    if use == "file" or (use == "read" and not opening.is_directory(resolved)):
        opening.regular(resolved).close()
