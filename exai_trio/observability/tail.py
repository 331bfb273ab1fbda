"""The newest lines of a log that is rotated.

Blocking: for threads only.
"""

from pathlib import Path

from exai_trio.observability.owned_lines import of_principal
from exai_trio.system.private_files import open_at_once

_MOST_BYTES = 8 * 1024 * 1024
_LOOKED_AT = 20_000  # lines among which somebody's are looked for


def newest_lines_of(path: Path, count: int, principal: str) -> list[str]:
    """Those that this principal may see, of the newest that there are; oldest first."""
    seen = list(of_principal(newest_lines(path, max(count, _LOOKED_AT)), principal))
    return seen[-count:] if count else []


def newest_lines(path: Path, count: int) -> list[str]:
    """Oldest first; those of the file before (`.1`) too, where this one has too few. None of a file that cannot be read."""
    lines = _last(path, count)
    if len(lines) < count:
        lines = [*_last(path.with_name(f"{path.name}.1"), count - len(lines)), *lines]
    return lines


def _last(path: Path, count: int) -> list[str]:
    try:
        with open_at_once(path) as file:
            size = path.stat().st_size
            file.seek(max(0, size - _MOST_BYTES))
            content = file.read(_MOST_BYTES)
    except OSError:  # audit: empty-handler, because a file that cannot be read has no lines
        return []
    lines = content.decode(errors="replace").splitlines()
    if size > _MOST_BYTES:
        lines = lines[1:]  # the first is a piece
    return lines[-count:] if count else []
