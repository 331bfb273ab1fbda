"""The keys of JWTs as their file has them now: read at the start, and again once the file has changed."""

import logging
from pathlib import Path
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.access.jwt_keys import JwtKeys, read_keys
from exai_trio.config import Config
from exai_trio.errors import ArgumentError

log = logging.getLogger("exai.server")

_NO_KEYS: Final = JwtKeys()
_MOST_LOOKS: Final = 2
_State = tuple[int, int, int]


@structs.define(eq=False)
class KeyFile:
    """JWT_KEYS_FILE, or the home's own, which need not be there."""

    path: Path
    name: str
    keys: JwtKeys = _NO_KEYS
    _seen: _State | None = None
    _looks: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_LOOKS))

    @classmethod
    def of(cls, config: Config) -> "KeyFile":
        """Blocks on the disk. Raises ArgumentError for a file that was named and is of no use, or that others may read."""
        is_named = config.jwt_keys_file is not None
        file = cls(config.keys_file, "JWT_KEYS_FILE" if is_named else str(config.keys_file))
        if is_named or file.path.exists():
            file._read()
        return file

    async def look(self) -> None:
        """Read it again if it has changed. One that has become useless is logged, and the keys stay as they were. Cancelling leaves the
        look to its thread. Whether the home's own has changed is asked on the loop, which writes its log beside it."""
        try:
            if self.name != "JWT_KEYS_FILE" and _state_of(self.path) == self._seen:
                return
            await trio.to_thread.run_sync(self._read, abandon_on_cancel=True, limiter=self._looks)
        except (ArgumentError, OSError) as fault:
            log.error("keys of JWTs not read", extra={"fault": str(fault)})

    def _read(self) -> None:
        state = _state_of(self.path)
        if state == self._seen and state is not None:
            return
        if state is None and self.name != "JWT_KEYS_FILE":
            self.keys, self._seen = _NO_KEYS, None
            return
        try:
            self.keys = read_keys(self.path, self.name)
        finally:
            self._seen = state  # once the keys are there: another look may find it meanwhile


def _state_of(path: Path) -> _State | None:
    """None if there is none. Raises OSError."""
    if not path.exists():
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
