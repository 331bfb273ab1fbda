"""Objects at Supabase: kept once, read from an offset, and told apart in what is wrong with them."""

import pytest
import trio

from exai_trio.storage.hosted.hosted_faults import HostedAway, KeyRefused, TooLarge
from exai_trio.storage.supabase.http_requests import Project, open_requests
from exai_trio.storage.supabase.objects import SupabaseObjects

pytestmark = pytest.mark.real
NAME = "ab" * 32


async def pieces(content, size=65536):
    for start in range(0, len(content), size):
        await trio.lowlevel.checkpoint()
        yield content[start : start + size]


async def read(objects, offset=0):
    async with objects.open(NAME, offset) as found:
        return None if found is None else b"".join([piece async for piece in found])


@pytest.fixture
async def objects(gateway):
    async with open_requests(Project(url=gateway.url, key=gateway.key)) as requests:
        yield SupabaseObjects(requests, "exai-files")


async def test_what_was_kept_comes_back_from_any_offset(objects):
    """In pieces; beyond its end there is nothing."""
    content = bytes(range(256)) * 4096
    await objects.put(NAME, len(content), pieces(content))

    assert content == await read(objects)
    assert content[700_000:] == await read(objects, 700_000)
    assert await read(objects, len(content)) is None
    assert len(content) == await objects.size(NAME)


async def test_the_same_name_twice_is_one_object(objects, stage):
    """Names are hashes: what is there is what was to be put."""
    for _ in range(2):
        await objects.put(NAME, 3, pieces(b"abc"))

    assert {NAME: b"abc"} == stage.storage.buckets["exai-files"].objects


async def test_what_is_not_there_is_none(objects):
    """Neither read nor sized nor deleted; deleting one that is there says so."""
    await objects.put(NAME, 3, pieces(b"abc"))
    gone = [await objects.delete(NAME) for _ in range(2)]

    assert [True, False] == gone
    assert (None, None) == (await read(objects), await objects.size(NAME))


async def test_what_is_wrong_is_told_apart(objects, gateway, stage):
    """Too large for the plan, a refused key, a gateway in trouble."""
    stage.storage.plan_limit, before = 10, stage.storage.plan_limit
    try:
        with pytest.raises(TooLarge):
            await objects.put(NAME, 11, pieces(b"x" * 11))
    finally:
        stage.storage.plan_limit = before
    gateway.key, key = "another", gateway.key
    with pytest.raises(KeyRefused):
        await objects.size(NAME)
    gateway.key = key
    gateway.break_all(status=503)
    with pytest.raises(HostedAway):
        await objects.put(NAME, 1, pieces(b"x"))
    gateway.break_all(cut=5)
    with pytest.raises(HostedAway):
        await objects.size(NAME)
