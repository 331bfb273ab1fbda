"""One machine of several that share a hosted store: its own file, its outbox, and the job that sends."""

from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.errors import ServiceUnavailableError
from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.outbox_sender import OutboxSender
from exai_trio.storage.mirror import Mirror
from exai_trio.storage.sqlite.mirrored.local_side import LocalSide
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.supabase.http_requests import Project, open_requests
from exai_trio.storage.supabase.migrations import newest
from exai_trio.storage.supabase.remote import SupabaseRemote


@attrs.define(eq=False)
class Machine:
    mirror: Mirror
    sender: OutboxSender
    outbox: SqliteOutbox
    store: object
    remote: SupabaseRemote

    async def wait_sent(self):
        """Until all that is not parked has arrived."""
        while await self.outbox.batch(1):
            await trio.sleep(0.01)


@asynccontextmanager
async def open_machine(path, url, key, *, threshold=5, now=lambda: 1000.0, sends=True):
    async with (
        open_sqlite(path) as store,
        open_requests(Project(url=url, key=key)) as requests,
        trio.open_nursery() as background,
    ):
        outbox = SqliteOutbox(store)
        remote = SupabaseRemote(requests, now, newest())
        guarded = GuardedRemote(Breaker(threshold=threshold, open_s=30.0))
        guarded.connect(remote)
        mirror = Mirror(LocalSide(store, outbox), guarded, store)
        sender = OutboxSender(outbox, guarded, lambda: 0.0)
        if sends:
            background.start_soon(sender.run)
        yield Machine(mirror, sender, outbox, store, remote)
        background.cancel_scope.cancel()


class AwayMirror(Mirror):
    """A mirror whose other side is away: what is not here is unavailable, which its own tests say, and None for the contract's."""

    async def load(self, continuation_id, now):
        try:
            return await super().load(continuation_id, now)
        except ServiceUnavailableError:
            return None
