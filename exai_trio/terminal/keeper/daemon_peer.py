"""One connection of a daemon to the keeper, which may break at any moment. Standard library only."""

import socket
from collections import deque
from typing import Any, Final

from . import keeper_frames
from .kept_session import KeptSession
from .system_calls import at_once
from .viewer import Viewer

_RECEIVE_BYTES: Final = 65_536
_AT_ONCE: Final = 8  # frames in one write
_MOST_TEXTS: Final = 4096  # that wait for a peer which does not read them: it is given up


class PeerLost(Exception):
    """The other side is gone, or is not to be heard any more."""


class DaemonPeer:
    """`viewer` is set while a client is attached by it; `watches` is whether it wants to know of changes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.viewer: Viewer | None = None
        self.watches = False
        self.texts: deque[bytes] = deque()
        self.is_leaving = False
        self._reader = keeper_frames.FrameReader()
        self._unsent = memoryview(b"")

    def tell(self, **fields: Any) -> None:
        self.texts.append(keeper_frames.text(fields))

    def read(self) -> list[keeper_frames.Frame]:
        """What has come. Raises PeerLost."""
        try:
            data = at_once(self.connection.recv, _RECEIVE_BYTES)
            if data == b"":
                raise PeerLost
            return self._reader.feed(data or b"")
        except (OSError, keeper_frames.FrameError) as fault:
            raise PeerLost from fault

    def write(self, session: KeptSession) -> bool:
        """Send what there is, as far as it is taken. True if there is more. Raises PeerLost."""
        if len(self.texts) > _MOST_TEXTS or (self.viewer and len(self.viewer.texts) > _MOST_TEXTS):
            raise PeerLost
        while self._unsent or self._take(session):
            try:
                sent = at_once(self.connection.send, self._unsent)
            except OSError as fault:
                raise PeerLost from fault
            if sent is None:
                return True
            self._unsent = self._unsent[sent:]
        if self.is_leaving or (self.viewer is not None and self.viewer.is_over):
            raise PeerLost
        return False

    def _take(self, session: KeptSession) -> bool:
        frames: list[bytes] = []
        while len(frames) < _AT_ONCE and (frame := self._next(session)) is not None:
            frames.append(frame)
        self._unsent = memoryview(b"".join(frames))
        return bool(frames)

    def _next(self, session: KeptSession) -> bytes | None:
        if self.texts:
            return self.texts.popleft()
        frame = session.next_frame(self.viewer) if self.viewer is not None else None
        return keeper_frames.output(*frame) if isinstance(frame, tuple) else frame
