"""The newest lines of the daemon's log with a text in them, as far as somebody may see them."""

from pathlib import Path
from typing import Final

import trio

from exai_trio.observability.tail import newest_lines, newest_lines_of

_LOOKED_AT: Final = 20_000  # lines
_LONGEST: Final = 4_000  # characters of one


async def lines_with(path: Path, text: str, most: int, principal: str | None = None) -> list[str]:
    """The newest of them, oldest first; those of one principal, or of everybody for None. Cancelling leaves reading to its thread."""
    return await trio.to_thread.run_sync(
        _lines_with, path, text, most, principal, abandon_on_cancel=True
    )


def _lines_with(path: Path, text: str, most: int, principal: str | None) -> list[str]:
    if principal is None:
        lines = newest_lines(path, _LOOKED_AT)
    else:
        lines = newest_lines_of(path, _LOOKED_AT, principal)
    wanted = text.casefold()
    found = [line[:_LONGEST] for line in lines if wanted in line.casefold()]
    return found[-most:]
