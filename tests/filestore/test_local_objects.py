"""Stored contents on disk: whole or not there, once, private, and never other bytes than their name says."""

import hashlib
import os

import pytest
import trio

from exai_trio.errors import ArgumentError, NotFoundError, OverCapacityError
from exai_trio.filestore.local_objects import LocalObjects

CONTENT = b"0123456789" * 300_000
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def objects(tmp_path):
    return LocalObjects(root=tmp_path / "objects", most=10_000_000)


async def pieces(content, size=100_000, cut=None):
    """`cut` is cancelled after a third of them."""
    for start in range(0, len(content), size):
        if cut is not None and start >= len(content) / 3:
            cut.cancel(reason="test")
            await trio.sleep_forever()
        yield content[start : start + size]


async def read(objects, offset=0):
    async with objects.open(SHA, offset) as opened:
        return b"".join([piece async for piece in opened])


async def test_what_is_put_is_read_from_any_offset(objects):
    facts = await objects.put(SHA, len(CONTENT), pieces(CONTENT))

    assert (SHA, SHA, len(CONTENT)) == (facts.sha256, facts.file_id, facts.size)
    assert CONTENT == await read(objects)
    assert CONTENT[2_999_990:] == await read(objects, 2_999_990)
    assert (facts,) == await objects.listed()
    path = objects.root / SHA[:2] / SHA
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == path.parent.stat().st_mode & 0o777


async def test_putting_it_again_reads_nothing(objects):
    first = await objects.put(SHA, len(CONTENT), pieces(CONTENT))

    assert first == await objects.put(SHA, len(CONTENT), pieces(b"never read"))
    assert CONTENT == await read(objects)


async def test_a_flipped_bit_is_found_and_the_content_stored_anew(objects):
    """What is given is what was put, not what stands there."""
    await objects.put(SHA, len(CONTENT), pieces(CONTENT))
    path = objects.path(SHA)
    path.write_bytes(b"1" + CONTENT[1:])
    flipped = await objects.is_whole(SHA)
    await objects.put(SHA, len(CONTENT), pieces(CONTENT))

    assert (False, CONTENT) == (flipped, await read(objects))


@pytest.mark.parametrize("other", [CONTENT + b"grown", CONTENT[:-1], b"x" + CONTENT[1:], b""])
async def test_other_bytes_are_refused_and_leave_nothing(objects, other):
    """A file that grows, shrinks or changes while it is read."""
    with pytest.raises(ArgumentError, match="changed while it was read"):
        await objects.put(SHA, len(CONTENT), pieces(other))

    assert () == await objects.listed()
    assert [] == list((objects.root / SHA[:2]).iterdir())


async def test_cancelling_leaves_nothing(objects):
    with trio.CancelScope() as scope:
        await objects.put(SHA, len(CONTENT), pieces(CONTENT, cut=scope))

    assert scope.cancelled_caught
    assert (None, ()) == (await objects.stat(SHA), await objects.listed())
    assert [] == list((objects.root / SHA[:2]).iterdir())


async def test_there_is_a_bound(objects):
    await objects.put(SHA, len(CONTENT), pieces(CONTENT))
    with pytest.raises(OverCapacityError, match="EXAI_FILES_MAX_GB"):
        await objects.put("ab" * 32, 8_000_000, pieces(b""))


async def test_what_is_deleted_is_gone_and_twice_is_no_fault(objects):
    await objects.put(SHA, len(CONTENT), pieces(CONTENT))

    assert (len(CONTENT), 0) == (await objects.delete(SHA), await objects.delete(SHA))
    with pytest.raises(NotFoundError):
        await read(objects)


async def test_what_a_killed_daemon_began_goes_after_a_day(objects):
    (objects.root / "ab").mkdir(parents=True)
    unfinished = objects.root / "ab" / ("ab" * 32 + ".1.part")
    unfinished.write_bytes(b"half")
    now = unfinished.stat().st_mtime
    assert 0 == await objects.remove_unfinished(now)
    os.utime(unfinished, (now - 86_401, now - 86_401))

    assert 4 == await objects.remove_unfinished(now)
    assert () == await objects.listed()


async def test_what_others_store_and_delete_meanwhile_is_no_fault(objects, monkeypatch):
    """Names that were read from a folder may be gone when they are looked at."""
    facts = await objects.put(SHA, len(CONTENT), pieces(CONTENT))
    here = objects.path(SHA)
    gone = (here.with_name(f"{SHA}.1.part"), here.with_name("ab" * 32))
    monkeypatch.setattr(LocalObjects, "_files", lambda _self: iter((*gone, here)))

    assert 0 == await objects.remove_unfinished(facts.stored_at + 100_000)
    assert (facts,) == await objects.listed()
