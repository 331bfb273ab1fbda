"""Whether the paths of a call may be used, found out before anything is sent or written.

Blocking: for threads only.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import trio

from exai_trio.workspace import safe_open, sendable, upload_source, write
from exai_trio.workspace.sendable import Access

# What a path is for. "read": a file or directory that is there; "file": a file that is there; "inside": whatever may be there
# or not; "write": a new file.
PathUse = Literal["read", "file", "inside", "write"]


def checked(
    given: Iterable[str], use: PathUse, access: Access
) -> Iterator[tuple[str, Path, bytes]]:
    """Of those that are files to be read: the name, where it lies, and its beginning. Raises: ArgumentError, NotFoundError for the first path that would
    be refused when it is used."""
    for name in given:
        trio.from_thread.check_cancelled()
        if use == "write":
            write.find_place(name, access.roots)
            continue
        resolved = access.resolve(name)
        if use == "inside":
            continue
        if use == "read" and safe_open.is_directory(resolved):
            sendable.check_folder(name, resolved)
            continue
        yield name, resolved, upload_source.check(name, resolved, access)
