"""Every store that holds the contracts of `storage/base.py`, opened for a test; two of them need the hosted side."""

from contextlib import asynccontextmanager

import pytest
from hosted.direct_store import DirectStore
from hosted.machine import AwayMirror, open_machine

from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.postgres.conversation_store import PostgresConversations
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.supabase.http_requests import Project, open_requests
from exai_trio.storage.supabase.migrations import newest
from exai_trio.storage.supabase.remote import SupabaseRemote


@asynccontextmanager
async def open_memory(_path, _stage):
    yield MemoryStore()


@asynccontextmanager
async def open_embedded(path, _stage):
    async with open_sqlite(path) as store:
        yield store


@asynccontextmanager
async def open_hosted(_path, stage):
    async with stage.open_gateway() as gateway:
        project = Project(url=gateway.url, key=gateway.key)
        async with open_requests(project) as requests:
            yield DirectStore(SupabaseRemote(requests, lambda: 0.0, newest()))


@asynccontextmanager
async def open_mirror(path, stage):
    async with stage.open_gateway() as gateway, open_machine(path, gateway.url, gateway.key) as one:
        yield one.mirror
        await one.wait_sent()


@asynccontextmanager
async def open_mirror_away(path, _stage):
    nobody = "http://127.0.0.1:9"
    async with open_machine(path, nobody, "key") as one:
        mirror = one.mirror
        yield AwayMirror(mirror.local, mirror.remote, mirror.upkeep)


@asynccontextmanager
async def open_postgres(_path, stage):
    async with open_database(stage.url, lambda: 0.0) as database:
        yield PostgresConversations(database, clock=MemoryStore())


# real: the SQLite store works in threads, the hosted one is processes.
STORES = [
    pytest.param((open_memory, False), id="memory"),
    pytest.param((open_embedded, False), id="sqlite", marks=pytest.mark.real),
    pytest.param((open_hosted, True), id="supabase", marks=pytest.mark.real),
    pytest.param((open_postgres, True), id="postgres", marks=pytest.mark.real),
    pytest.param((open_mirror, True), id="mirror", marks=pytest.mark.real),
    pytest.param((open_mirror_away, False), id="mirror-away", marks=pytest.mark.real),
]


def opener(request):
    """How the store of this parameter is opened, given the path of a file."""
    opened, is_hosted = request.param
    stage = request.getfixturevalue("stage") if is_hosted else None
    return lambda path: opened(path, stage)
