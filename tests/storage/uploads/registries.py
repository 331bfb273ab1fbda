"""A registry of uploads with a clock of its own: in memory, in a file, at Supabase, and on both sides."""

from contextlib import asynccontextmanager
from functools import partial

import attrs
import msgspec
from database_in_memory import MemoryDatabase

from exai_trio.storage.contracts.cleanup_records import Bounds
from exai_trio.storage.contracts.provider_uploads import Claim, Content, Offer
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.mirrored_uploads import MirroredUploads
from exai_trio.storage.sqlite.mirrored.local_uploads import LocalUploads
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads
from exai_trio.storage.supabase.hosted_cleanup import SupabaseCleanup
from exai_trio.storage.supabase.hosted_uploads import SupabaseUploads
from exai_trio.storage.supabase.http_requests import Project, open_requests

START = 1_790_000_000.0


@attrs.define
class Clock:
    at: float = START

    def __call__(self, _connection=None):
        return self.at

    def bounds(self, grace_s=3600.0, history_s=30 * 86400.0):
        return Bounds(now=self.at, grace_s=grace_s, history_s=history_s)


@attrs.define
class Registry:
    """`uploads` is the owner's; `unlinked` are the objects that were deleted."""

    database: object
    uploads: object
    cleanup: object
    clock: Clock
    unlinked: list

    async def all(self, query, *given):
        return await self.database.read(lambda c: c.execute(query, given).fetchall())

    async def plan(self, query, given):
        rows = await self.database.read(
            lambda c: c.execute("EXPLAIN QUERY PLAN " + query, given).fetchall()
        )
        return [row[-1] for row in rows]

    async def do(self, statement, *given):
        return await self.database.write(lambda c: c.execute(statement, given).rowcount)

    async def conversations(self, *rows):
        """Each its id, when it was made, and when it ends."""
        for row in rows:
            await self.do(
                "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, ?, ?)", *row
            )

    async def run(self, name, grace_s=3600.0, **more):
        """All pages of a step."""
        changes, after = [], 0
        while after is not None:
            result = await self.cleanup.step(name, self.clock.bounds(grace_s), after, **more)
            changes += result.changes
            after = result.next
        return changes


def _noting(unlinked):
    def unlink(sha256):
        unlinked.append(sha256)
        return 10

    return unlink


class DatabaseClock:
    """The hosted database's own."""

    def __init__(self, stage):
        self.stage, self.at = stage, START

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "at":
            self.stage.set_clock(value)

    bounds = Clock.bounds
    __call__ = Clock.__call__


class HostedRegistry(Registry):
    """Asked in the words of the other two."""

    async def all(self, query, *given):
        """Times are unix seconds."""
        rows = self.database.execute(_postgres(query), *given)
        return [tuple(_plain(value) for value in row) for row in rows]

    async def do(self, statement, *given):
        self.database.execute(_postgres(statement), *given)

    async def conversations(self, *rows):
        for row in rows:
            self.database.execute(
                "INSERT INTO conversations (id, created_at, expires_at) VALUES (%s, to_timestamp(%s), to_timestamp(%s))",
                *row,
            )


def _postgres(query):
    return query.replace("?", "%s").replace("claimed_until = 0", "claimed_until = to_timestamp(0)")


def _plain(value):
    return value.timestamp() if hasattr(value, "timestamp") else value


@asynccontextmanager
async def at_supabase(_path, stage):
    unlinked = []
    clock = DatabaseClock(stage)

    async def unlink(sha256):
        return _noting(unlinked)(sha256)

    async with stage.open_gateway() as gateway:
        project = Project(url=gateway.url, key=gateway.key)
        async with open_requests(project) as requests:
            uploads = SupabaseUploads(requests)
            yield HostedRegistry(stage, uploads, SupabaseCleanup(requests, unlink), clock, unlinked)
    stage.set_clock(None)


@asynccontextmanager
async def in_mirror(path, stage):
    """What is seen is the hosted side."""
    async with at_supabase(path, stage) as hosted, open_sqlite(path) as store:
        local = LocalUploads(store, SqliteOutbox(store), time_of=hosted.clock)
        hosted.uploads = MirroredUploads(local, hosted.uploads)
        yield hosted


@asynccontextmanager
async def in_mirror_away(_path, _stage=None):
    """What is seen is this machine's side."""
    guarded = GuardedRemote()
    guarded.refuse(HostedAway("Supabase is not there."))
    async with in_memory(_path) as local:
        functions = GuardedFunctions(guarded)
        side = LocalUploads(local.database, SqliteOutbox(local.database), time_of=local.clock)
        local.uploads = MirroredUploads(side, SupabaseUploads(functions))
        yield local


@attrs.define
class Reach:
    is_away: bool = False


@attrs.frozen
class OtherSide:
    """A registry that stands for the hosted one: what is claimed there is known by that. While it is away it does nothing."""

    _uploads: object
    reach: Reach = attrs.field(factory=Reach)

    def __getattr__(self, name):
        return partial(self._ask, name)

    async def _ask(self, name, *given):
        if self.reach.is_away:
            raise HostedAway("Supabase is not there.")
        answer = await getattr(self._uploads, name)(*given)
        return attrs.evolve(answer, is_hosted=True) if isinstance(answer, Claim) else answer

    def of(self, principal):
        return OtherSide(self._uploads.of(principal), self.reach)


@attrs.define
class Mirror:
    """`here` is this machine's side, with its outbox; `other` the other side as it is asked."""

    other: OtherSide
    here: LocalUploads

    @property
    def uploads(self):
        return MirroredUploads(self.here, self.other)

    async def told_later(self):
        """What the outbox holds, oldest first: kinds and bodies."""
        entries = await self.here.outbox.batch(100)
        return [(entry.kind, msgspec.json.decode(entry.body)) for entry in entries]


def mirror_of(registry):
    here = MemoryDatabase(registry.clock)
    side = LocalUploads(here, SqliteOutbox(here), time_of=registry.clock)
    return Mirror(OtherSide(registry.uploads), side)


@asynccontextmanager
async def in_mirror_of_memory(_path, _stage=None):
    """What is seen is the other side."""
    async with in_memory(_path) as other:
        other.uploads = mirror_of(other).uploads
        yield other


@asynccontextmanager
async def in_memory(_path, _stage=None):
    clock, unlinked = Clock(), []
    database = MemoryDatabase(clock)
    yield Registry(
        database, database.uploads(), database.cleanup(_noting(unlinked)), clock, unlinked
    )


@asynccontextmanager
async def in_sqlite(path, _stage=None):
    clock, unlinked = Clock(), []
    async with open_sqlite(path) as store:
        uploads = SqliteUploads(store, clock)
        yield Registry(
            store, uploads, SqliteCleanup(store, _noting(unlinked), clock), clock, unlinked
        )


CONTENT = Content(provider="kimi", account="a1", purpose="file-extract", sha256="5a")
OFFER = Offer(content=CONTENT, filename="ä.py", size=3, method="direct")


async def given(uploads, offer=OFFER, owner="held:owner", file_id="f1"):
    """The content, as the provider has it now."""
    claim = await uploads.claim_upload(offer, owner, "a test")
    return await uploads.finish_upload(claim, file_id, offer.filename)
