"""Whether the paths of a call may be used, found out before anything is sent or written.

Blocking: for threads only.
"""

from collections.abc import Iterable
from typing import Literal

import trio

from exai_trio.workspace import safe_open, sendable, upload_source, write
from exai_trio.workspace.sendable import Access

# What a path is for. "read": a file or directory that is there; "file": a file that is there; "inside": whatever may be there
# or not; "write": a new file.
PathUse = Literal["read", "file", "inside", "write"]


def check(given: Iterable[str], use: PathUse, access: Access) -> dict[str, str]:
    """Where the files lie that may be read, by the names given. Raises: ArgumentError, NotFoundError for the first path that would
    be refused when it is used."""
    found: dict[str, str] = {}
    for name in given:
        trio.from_thread.check_cancelled()
        if path := _check_one(name, use, access):
            found[name] = path
    return found


def _check_one(given: str, use: PathUse, access: Access) -> str:
    """The path of a file that may be read, or "" of what is none."""
    if use == "write":
        write.find_place(given, access.roots)
        return ""
    resolved = access.resolve(given)
    if use == "inside":
        return ""
    if use == "read" and safe_open.is_directory(resolved):
        sendable.check_folder(given, resolved)
        return ""
    upload_source.check(given, resolved, access)
    return str(resolved)
