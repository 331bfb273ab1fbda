"""Stored contents of two sides: here first, then in the bucket; what is only there is fetched, and what the bucket did not get follows."""

import pytest
from database_in_memory import MemoryDatabase
from remote_in_memory import MemoryRemote, hash_of, pieces

from exai_trio.errors import NotFoundError, StorageError
from exai_trio.filestore.local_objects import LocalObjects
from exai_trio.filestore.shared_objects import SharedObjects
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_bucket import FILES, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault
from exai_trio.storage.hosted.object_sender import Unsent
from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent

CONTENT = b"what all machines share\n" * 100
NAME = hash_of(CONTENT)
UNSENT = Unsent(FILES, NAME, len(CONTENT), 0, "")


@pytest.fixture
def remote():
    return MemoryRemote({"exai_begin_object": True, "exai_object_stored": None})


@pytest.fixture
def bucket(remote):
    return remote.bucket(FILES)


@pytest.fixture
def objects(remote, tmp_path):
    guarded = GuardedRemote()
    guarded.connect(remote)
    return SharedObjects(
        local=LocalObjects(root=tmp_path, most=10**9),
        bucket=GuardedBucket(guarded, FILES),
        functions=GuardedFunctions(guarded),
        unsent=SqliteUnsent(MemoryDatabase()),
    )


async def put(objects):
    return await objects.put(NAME, len(CONTENT), pieces(CONTENT))


async def read(objects, offset=0):
    async with objects.open(NAME, offset) as found:
        return b"".join([piece async for piece in found])


async def test_what_is_put_is_on_both_sides(objects, bucket):
    """Its id is given; nothing is left to be sent, and a second time nothing is sent."""
    facts = [await put(objects), await put(objects)]

    assert {NAME: CONTENT} == bucket.contents
    assert [NAME, NAME] == [one.file_id for one in facts]
    assert 1 == len(bucket.puts)
    assert (({}, ())) == (objects.missing, await objects.unsent.all())


async def test_what_lies_in_the_bucket_is_listed_and_nothing_in_it_is_unfinished(objects, bucket):
    """As cleaning up asks it, by another machine's name for it too."""
    await put(objects)
    bucket.contents["another's"] = b"x"

    assert {NAME: len(CONTENT), "another's": 1} == {
        each.sha256: each.size for each in await objects.bucket.listed()
    }
    assert 0 == await objects.bucket.remove_unfinished(10**9)
    assert {NAME, "another's"} == {*bucket.contents}


@pytest.mark.parametrize("away", ["bucket", "being deleted"])
async def test_what_the_bucket_does_not_take_is_kept_here_and_sent_later(objects, remote, bucket, away):  # fmt: skip
    """The content has no id yet; why is remembered, also by the next process."""
    if away == "bucket":
        bucket.faults.append(HostedAway("Supabase is not there."))
    else:
        remote.returns["exai_begin_object"] = False
    facts = await put(objects)
    why = objects.missing[NAME]
    objects.missing.clear()
    await objects.recall()

    assert "" == facts.file_id
    assert {NAME: why} == objects.missing
    assert ("being deleted" in why) == (away == "being deleted")
    assert CONTENT == await read(objects)
    assert [(FILES, NAME, len(CONTENT))] == [
        (one.bucket, one.name, one.size) for one in await objects.unsent.all()
    ]


async def test_what_follows_later_is_told_and_misses_no_more(objects, remote, bucket):
    """Its bytes are given to whoever sends them; the hosted database hears where they are."""
    bucket.faults.append(HostedAway("Supabase is not there."))
    await put(objects)
    async with objects.to_send(NAME) as content:
        sent = b"".join([piece async for piece in content])
    told = await objects.note_sent(UNSENT)

    assert (CONTENT, True, {}) == (sent, told, objects.missing)
    assert ("exai_object_stored", {"sha256": NAME, "path": f"{FILES}/{NAME}"}) == remote.called[-1]


async def test_what_is_here_no_more_is_not_sent(objects):
    async with objects.to_send(NAME) as content:
        assert content is None


async def test_what_is_being_deleted_there_waits(objects, remote):
    """Or it would be deleted with the old one."""
    await put(objects)
    remote.returns["exai_begin_object"] = False
    with pytest.raises(HostedAway, match="being deleted"):
        async with objects.to_send(NAME):
            pass


async def test_what_is_only_there_is_fetched_once(objects, bucket):
    """From any offset; then it is here, and whole."""
    bucket.contents[NAME] = CONTENT
    found = await read(objects, 5)
    bucket.contents.clear()

    assert CONTENT[5:] == found
    assert len(CONTENT) == (await objects.stat(NAME)).size
    assert await objects.is_whole(NAME)
    with await objects.open_file(NAME) as file:
        assert CONTENT == file.read()
    assert [NAME] == [one.sha256 for one in await objects.listed()]
    assert (len(CONTENT), None) == (await objects.delete(NAME), await objects.stat(NAME))


async def test_what_is_nowhere_is_not_found(objects):
    with pytest.raises(NotFoundError):
        await read(objects)


async def test_a_damaged_one_is_not_used(objects, bucket):
    """Its bytes are held to its name."""
    bucket.contents[NAME] = CONTENT[:-1] + b"?"
    with pytest.raises(StorageError, match="damaged, and not used"):
        await read(objects)

    assert () == await objects.listed()


async def test_one_that_cannot_be_fetched_is_not_said_to_be_missing(objects, bucket):
    """Nobody knows."""
    bucket.faults.append(HostedAway("Supabase is not there."))
    with pytest.raises(HostedFault, match="not there"):
        await objects.stat(NAME)


async def test_only_what_its_own_bucket_misses_is_recalled(objects):
    """Results wait in the same list."""
    await objects.unsent.add("another", "r1", 3, "away")
    await objects.recall()

    assert {} == objects.missing
