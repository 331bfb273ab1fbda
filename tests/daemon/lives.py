"""Lives of a daemon that end in the middle, and the disks that they leave to the next one."""

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.memory.journal import MemoryJournal
from exai_trio.wire.messages import CallAccepted


@attrs.define
class FullDisk(MemoryJournal):
    """A journal on a disk that takes nothing while `full`, or only after a time."""

    full: bool = False
    slow_s: float = 0.0

    async def _write(self):
        await trio.sleep(self.slow_s)
        if self.full:
            raise StorageError("The disk is full.")

    async def accept(self, call):
        await self._write()
        await super().accept(call)

    async def run_again(self, session, request):
        await self._write()
        await super().run_again(session, request)

    async def finish(self, session, request, outcome):
        await self._write()
        await super().finish(session, request, outcome)


class SetAside(MemoryJournal):
    """A journal that can lose its file: the next one knows none of the calls."""

    def set_aside(self):
        self._calls.clear()


async def killed_mid_call(house, journal, **settings):
    """A daemon accepts a nap of 10 s for session "win" and dies. Returns the last number that its client has."""
    async with house(journal, **settings) as daemon, daemon.connect(session_id="win") as (client, _):  # fmt: skip
        await client.nap(seconds=10.0)
        await client.hear_until(CallAccepted)
        return client.last_seq
