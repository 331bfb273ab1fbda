"""A registry of uploads with a clock of its own: in memory, and in a file."""

from contextlib import asynccontextmanager

import attrs

from exai_trio.storage.contracts.cleanup_records import Bounds
from exai_trio.storage.contracts.provider_uploads import Content, Offer
from exai_trio.storage.memory.memory_database import MemoryDatabase
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads

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

    async def do(self, statement, *given):
        return await self.database.write(lambda c: c.execute(statement, given).rowcount)

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


@asynccontextmanager
async def in_memory(_path):
    clock, unlinked = Clock(), []
    database = MemoryDatabase(clock)
    yield Registry(
        database, database.uploads(), database.cleanup(_noting(unlinked)), clock, unlinked
    )


@asynccontextmanager
async def in_sqlite(path):
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
