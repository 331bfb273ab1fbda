"""Lives of a daemon that end in the middle or in a successor, and the disks that they leave to the next one."""

from contextlib import asynccontextmanager, suppress

import attrs
import trio
from journal_in_memory import MemoryJournal
from trio.testing import memory_stream_pair

from exai_trio.daemon.takeover.predecessor import Predecessor
from exai_trio.daemon.takeover.successor import Successor
from exai_trio.errors import StorageError
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import CallAccepted, CallFailed, CallResult


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


@attrs.define
class Change:
    """An old daemon that leaves and its successor, with what passes between them; `cut` kills the old one."""

    new: object
    kill: object
    left: trio.Event


@asynccontextmanager
async def changed(house, old, journal, **settings):
    """A successor of `old` on its journal; `old` has let go of the home."""
    here, there = memory_stream_pair()
    predecessor, home_free, left = Predecessor(there), trio.Event(), trio.Event()
    async with trio.open_nursery() as both:

        async def leave():
            await Successor(old.sessions, here).take_all(home_free.set)
            left.set()
            await here.aclose()

        def kill():
            here.send_stream.close()
            here.receive_stream.close()

        both.start_soon(leave)
        await predecessor.wait_left()
        await home_free.wait()
        both.start_soon(predecessor.run)
        async with house(journal, predecessor=predecessor, **settings) as new:
            yield Change(new, kill, left)
        both.cancel_scope.cancel()


async def outcomes(client, seconds):
    """The outcomes that come in that time, while the connection lasts, as (kind, request_id)."""
    heard = []
    with trio.move_on_after(seconds), suppress(PeerGone):
        while True:
            message = await client.hear_until((CallResult, CallFailed))
            heard.append((type(message).__name__, message.request_id))
    return heard
