"""The newest lines of a log that is rotated.

Blocking: for threads only.
"""

import os
from itertools import dropwhile
from pathlib import Path
from typing import BinaryIO, Final

from exai_trio.observability.owned_lines import goes_on, of_principal
from exai_trio.system.private_files import open_at_once

_MOST_BYTES: Final = 8 * 1024 * 1024
_BLOCK: Final = 64 * 1024  # bytes that are read first
_LOOKED_AT: Final = 20_000  # lines among which somebody's are looked for
_MORE: Final = 8  # times as many, where too few are somebody's


def newest_lines_of(path: Path, count: int, principal: str) -> list[str]:
    """Those that this principal may see, of the newest that there are; oldest first."""
    looked_at = count
    while True:
        lines, is_all = _newest(path, looked_at)
        # whose the first of a part are would be said by a line before it
        known = lines if is_all else dropwhile(goes_on, lines)
        seen = list(of_principal(known, principal))
        if is_all or len(seen) >= count or looked_at >= _LOOKED_AT:
            return seen[-count:] if count else []
        looked_at = min(looked_at * _MORE, _LOOKED_AT)


def newest_lines(path: Path, count: int) -> list[str]:
    """Oldest first; those of the file before (`.1`) too, where this one has too few. None of a file that cannot be read."""
    return _newest(path, count)[0]


def _newest(path: Path, count: int) -> tuple[list[str], bool]:
    """The lines, and whether there are no more."""
    lines, is_all = _last(path, count)
    if is_all and len(lines) < count:
        before, is_all = _last(path.with_name(f"{path.name}.1"), count - len(lines))
        lines = [*before, *lines]
    return lines, is_all and len(lines) < count


def _last(path: Path, count: int) -> tuple[list[str], bool]:
    try:
        with open_at_once(path) as file:
            content, is_all = _end_of(file, count)
    except OSError:  # audit: empty-handler, because a file that cannot be read has no lines
        return [], True
    lines = content.decode(errors="replace").splitlines()
    if not is_all:
        lines = lines[1:]  # the first is a piece
    return lines[-count:] if count else [], is_all


def _end_of(file: BinaryIO, count: int) -> tuple[bytes, bool]:
    """The end of the file with so many lines and a piece, as far as that is not too much; whether that is all. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    content, begin = b"", size
    while begin > max(0, size - _MOST_BYTES) and content.count(b"\n") <= count:
        end, begin = begin, max(0, size - _MOST_BYTES, begin - max(_BLOCK, len(content)))
        file.seek(begin)
        content = file.read(end - begin) + content
    return content, not begin
