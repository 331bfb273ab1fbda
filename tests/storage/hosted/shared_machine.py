"""One machine of several that share files and large results: its own file and folders, and the jobs that send."""

from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.bus.message_bus import MessageBus
from exai_trio.config import Config
from exai_trio.daemon.jobs.hosted_contents import HostedContents
from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.outbox_sender import OutboxSender
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.supabase.http_requests import Project, open_requests
from exai_trio.storage.supabase.migrations import newest
from exai_trio.storage.supabase.remote import SupabaseRemote
from exai_trio.system.clock import unix_now


@attrs.define(eq=False)
class SharedMachine:
    """`go_away` and `come_back` are what the network does."""

    contents: HostedContents
    outbox: SqliteOutbox
    sender: OutboxSender
    bus: MessageBus
    store: object
    guarded: GuardedRemote
    remote: SupabaseRemote

    @property
    def files(self):
        return self.contents.files

    @property
    def registry(self):
        return self.contents.files.registry.of("owner")

    def go_away(self):
        self.guarded.refuse(HostedAway("Supabase is not there."))

    def come_back(self):
        self.guarded.connect(self.remote)
        self.sender.try_now()
        self.contents.sender.try_now()

    async def wait_sent(self):
        """Until all entries and contents have arrived."""
        while (await self.outbox.depth()).entries or await self.contents.sender.unsent.all():
            await trio.sleep(0.01)


@asynccontextmanager
async def open_shared_machine(home, gateway, *, sends=True):
    (home / "state").mkdir(parents=True, exist_ok=True)
    config = Config(home=home)
    async with (
        open_sqlite(home / "state" / "exai.db") as store,
        open_requests(Project(url=gateway.url, key=gateway.key)) as requests,
        trio.open_nursery() as background,
    ):
        remote = SupabaseRemote(requests, unix_now, newest())
        guarded = GuardedRemote(Breaker(threshold=0, open_s=0.0))
        guarded.connect(remote)
        outbox = SqliteOutbox(store)
        contents = HostedContents.of(config, store, outbox, guarded, unix_now)
        sender = OutboxSender(outbox, guarded, lambda: 0.0)
        if sends:
            background.start_soon(sender.run)
            background.start_soon(contents.send)
        bus = MessageBus(contents.payloads, config.home / "bus", unix_now)
        yield SharedMachine(contents, outbox, sender, bus, store, guarded, remote)
        background.cancel_scope.cancel()
