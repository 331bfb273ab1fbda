"""A world of one registry, one provider and one store of objects, whose actors are stopped between any two of their steps.

An actor is a coroutine of the real code; it gives way at each use of the world. A schedule says who goes next, who is killed, and when
time passes; the same schedule gives the same world.
"""

import sqlite3
import types
from functools import cache

import attrs
from database_in_memory import MemoryDatabase

from exai_trio.errors import ProviderBusyError
from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
from exai_trio.filestore.file_gateway import FileGateway
from exai_trio.storage.contracts.cleanup_records import Account
from exai_trio.storage.contracts.file_objects import ObjectFacts
from exai_trio.storage.contracts.provider_uploads import Content, Offer
from exai_trio.storage.sqlite.batches import transaction
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads

START = 1_790_000_000.0
KIMI = Account(provider="kimi", account="a")
SIZE = 10


@types.coroutine
def _give_way():
    yield


@cache
def _shared():
    return MemoryDatabase().connection


def _opened():
    """The same each time, since what it has compiled stays; emptied."""
    connection = _shared()
    for table in (
        "file_deletion_jobs",
        "file_references",
        "provider_file_uploads",
        "leases",
        "audit_log",
        "sqlite_sequence",
    ):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    return connection


@attrs.frozen
class File:
    id: str
    filename: str
    size: int
    created_at: int
    sha256: str


@attrs.define(eq=False)
class World:
    """`reported` is what the last cleaning up said that nobody knows. Once it is `over`, nothing changes it any more."""

    connection: sqlite3.Connection = attrs.field(factory=_opened)
    at: float = START
    shelf: dict[str, File] = attrs.field(factory=dict)
    objects: set[str] = attrs.field(factory=set)
    taken: int = 0
    deletions_fail: int = 0
    reported: list[str] = attrs.field(factory=list)
    broken: list[str] = attrs.field(factory=list)
    over: bool = False

    async def step(self):
        """Give way to the schedule."""
        if not self.over:
            await _give_way()

    async def read(self, query):
        await self.step()
        return query(self.connection)

    async def write(self, work):
        await self.step()
        if self.over:
            return None
        with transaction(self.connection, "IMMEDIATE"):
            return work(self.connection)

    def time_of(self, _connection):
        return self.at

    def unlink(self, sha256):
        if sha256 not in self.objects:
            return 0
        self.objects.remove(sha256)
        return SIZE

    async def put(self, sha256):
        await self.step()
        self.objects.add(sha256)
        return sha256

    async def upload(self, offer):
        """Begun, arrived, answered."""
        await self.step()
        self.taken += 1
        sha256 = offer.content.sha256
        if sha256 not in self.objects:
            self.broken.append(f"{sha256} was not stored while it was claimed")
        file = File(f"f{self.taken}", offer.filename, offer.size, int(self.at), sha256)
        self.shelf[file.id] = file
        await self.step()
        return file

    async def shelved(self):
        await self.step()
        return tuple(self.shelf.values())

    async def delete(self, file_id):
        await self.step()
        if self.deletions_fail:
            self.deletions_fail -= 1
            raise ProviderBusyError("later")
        self.shelf.pop(file_id, None)
        await self.step()

    def rows(self, query):
        return self.connection.execute(query).fetchall()


@attrs.frozen
class Recipient:
    world: World
    offer: Offer

    async def send(self, _claim):
        return await self.world.upload(self.offer)

    async def listed(self, *, fresh=False):
        return await self.world.shelved()


@attrs.frozen
class Shelf:
    world: World

    async def delete(self, file_id):
        await self.world.delete(file_id)

    async def listed(self):
        return await self.world.shelved()


@attrs.frozen
class Objects:
    world: World

    async def listed(self):
        await self.world.step()
        return tuple(
            ObjectFacts(sha256=each, file_id=each, size=SIZE, stored_at=0.0)
            for each in sorted(self.world.objects)
        )

    async def remove_unfinished(self, _now):
        return 0


def registry(world):
    return SqliteUploads(world, world.time_of)


def offer(blob, size=SIZE):
    content = Content(provider="kimi", account="a", purpose="p", sha256=blob)
    return Offer(content=content, filename=f"{blob}.txt", size=size, method="gateway")


async def give(world, blob, owner, release=False):
    """What a tool does: the content is at the provider when it returns, and stays there while the owner refers to it."""
    asked = offer(blob, SIZE + ord(blob))

    async def wait(_seconds):
        await world.step()

    gateway = FileGateway(
        registry=registry(world),
        recipient=Recipient(world, asked),
        offer=asked,
        owner=owner,
        by=owner,
        wait=wait,
        store=lambda: world.put(blob),
    )
    given = await gateway.give()
    file = world.shelf.get(given.upload.provider_file_id)
    if file is None or file.sha256 != blob:
        world.broken.append(f"{owner} was given {given.upload.provider_file_id} for {blob}")
    if release:
        await registry(world).end_owner(owner)
    return given.upload.provider_file_id


async def clean(world, holder, *stages):
    coordinator = CleanupCoordinator(
        store=SqliteCleanup(world, world.unlink, world.time_of),
        registry=registry(world),
        objects=Objects(world),
        shelves=lambda: {KIMI: Shelf(world)},
        limits=CleanupLimits(grace_s=0.0, history_s=9e9, files_bytes=10**9),
        now=lambda: world.at,
        holder=holder,
    )
    more = {"stages": stages} if stages else {}
    report = await coordinator.run(**more, daily=False)
    if report is not None:
        world.reported = report.unknown


def finish(coroutine, most=10_000):
    """Run one actor to its end, alone."""
    for _ in range(most):
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
    raise AssertionError("it does not end")
