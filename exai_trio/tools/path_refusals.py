"""What can be refused of the paths that a call names before it is accepted.

What the paths are for, each tool says itself.
"""

from pathlib import Path
from typing import Any

from exai_trio.tools.arguments import concerning
from exai_trio.tools.base import Tool
from exai_trio.workspace.images import is_data_url
from exai_trio.workspace.path_checks import PathUse
from exai_trio.workspace.read import NOTHING_FOUND, FileReader, Found

_HERE = frozenset({"", "."})  # the first root, where a tool takes that


async def check(tool: Tool, arguments: Any, roots: tuple[Path, ...], files: FileReader) -> Found:
    """The files that the call names. Raises: ArgumentError, NotFoundError naming the argument.
    Cancelling leaves the look at the disk to its thread."""
    found = NOTHING_FOUND
    for field, use in tool.paths.items():
        named: str | tuple[str, ...] = getattr(arguments, field)
        each = (named,) if isinstance(named, str) else named
        given = [path for path in each if path not in _HERE and not is_data_url(path)]
        if given:
            with concerning(field):
                found |= await files.check(given, _use(tool, arguments, use), roots)
    return found


def _use(tool: Tool, arguments: Any, use: PathUse) -> PathUse:
    """What an earlier step of an investigation named may be gone by now; the tool knows which that is."""
    is_continued = tool.kind == "workflow" and bool(arguments.continuation_id)
    return "inside" if is_continued else use
