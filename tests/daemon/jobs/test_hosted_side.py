"""The side of the store at Supabase while the database of this machine fails: the daemon is not ended by it."""

from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.daemon.jobs.hosted_side import HostedSide
from exai_trio.errors import StorageError
from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.outbox_entries import Depth
from exai_trio.storage.hosted.outbox_sender import OutboxSender


@attrs.define
class FullDisk:
    """An outbox on it."""

    is_full: bool = True

    def watch(self, woken):
        pass

    async def batch(self, _most):
        await trio.lowlevel.checkpoint()
        if self.is_full:
            raise StorageError("The disk is full.")
        return ()

    async def depth(self):
        await self.batch(0)
        return Depth(entries=7)


class Alone(HostedSide):
    """Nobody is there to connect to, nor is there anything to sweep."""

    @asynccontextmanager
    async def _open_remote(self):
        yield None

    async def _keep_connected(self, _remote):
        await trio.sleep_forever()

    async def _sweep(self):
        pass


def side_of(outbox):
    sender = OutboxSender(outbox, GuardedRemote(Breaker(threshold=5, open_s=60.0)), lambda: 0.999)
    return Alone(config=None, now=lambda: 0.0, mirror=None, outbox=outbox, sender=sender)


async def test_a_disk_that_fails_does_not_end_the_daemon(autojump_clock):
    """Once it takes what it is given, what waits is counted again."""
    outbox = FullDisk()
    side = side_of(outbox)
    async with trio.open_nursery() as background:
        background.start_soon(side.run)
        await trio.sleep(600)
        outbox.is_full = False
        await trio.sleep(60)
        background.cancel_scope.cancel()

    assert 7 == side.depth.entries


async def test_a_disk_that_fails_does_not_keep_the_daemon_from_ending(autojump_clock):
    began = trio.current_time()
    await side_of(FullDisk()).finish()

    assert trio.current_time() - began < 5
