"""The numbers of the frames that came in this session: which are new, and which are to be acknowledged."""

from typing import Final

import attrs
import trio

from exai_trio import structs

ACK_EVERY_S: Final = 0.05


@structs.define(eq=False)
class ReceivedFrames:
    """Of one session, across its connections. Acknowledgements are cumulative: one frame for all that came within `ACK_EVERY_S`."""

    last: int = 0
    _acked: int = 0
    _is_due: bool = False
    _unacked: trio.Event = attrs.field(factory=trio.Event)

    def __repr__(self) -> str:
        return f"<ReceivedFrames last={self.last} acked={self._acked}>"

    def reset(self) -> None:
        """Another session, or one that the daemon has forgotten: it counts from 1."""
        self.last = self._acked = 0

    def note(self, seq: int) -> bool:
        """A frame with this number has come. Returns whether it is new."""
        if seq <= self.last:
            return False
        self.last = seq
        self._unacked.set()
        return True

    async def wait_due(self) -> None:
        """Return when what came is to be acknowledged. Cancelling leaves it to the next wait."""
        await self._unacked.wait()
        await trio.sleep(ACK_EVERY_S)
        self._unacked = trio.Event()
        self._is_due = True

    def take(self) -> int:
        """The number up to which is to be acknowledged, 0 if that is not due; from now on it counts as sent."""
        if not (self._is_due and self.last > self._acked):
            return 0
        self._is_due, self._acked = False, self.last
        return self.last
