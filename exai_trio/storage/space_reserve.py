"""A file that takes up room on the disk, so that there is some to give back when the disk is full.

No database here. What it does to the disk blocks: that runs in the store's threads.
"""

import errno
import os
from pathlib import Path
from typing import Final

from exai_trio import structs
from exai_trio.storage.sqlite.error_kinds import DiskFull

BALLAST_BYTES: Final = 4 * 2**20  # the outcomes of the calls that run when the disk fills up


@structs.define(eq=False)
class SpaceReserve:
    """`spent` from the moment that its room was needed until there is room again for it and as much besides."""

    path: Path
    size: int = BALLAST_BYTES
    spent: bool = False

    def check_unspent(self) -> None:
        """Raises DiskFull while what room is left is needed."""
        if self.spent:
            raise DiskFull(
                "The disk is full; what room is left is for the outcomes of the calls that run.",
                # audit: duration, because it is a hint to the client, who decides
                retry_after_s=10.0,
            )

    def spend(self) -> bool:
        """Give the room back. False if it was given back already."""
        try:
            self.path.unlink()
        except OSError:  # audit: empty-handler, because False is the answer: given back already
            return False
        finally:
            self.spent = True
        return True

    def restore(self) -> bool:
        """Take up the room if the disk has twice as much. Returns whether it is taken up now."""
        try:
            self.spent = not self._is_there() and not self._take()
        except OSError as fault:
            if fault.errno not in {errno.ENOSPC, errno.EDQUOT}:
                self.spent = False  # no reserve can be kept here at all; that alone refuses nobody
                return False
            self.path.unlink(missing_ok=True)
            self.spent = True
        return not self.spent

    def _is_there(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.size

    def _take(self) -> bool:
        room = os.statvfs(self.path.parent)
        if room.f_bavail * room.f_frsize < 2 * self.size:
            return False
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)
        finally:
            os.close(descriptor)
        return True
