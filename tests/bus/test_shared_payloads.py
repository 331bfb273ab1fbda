"""Large results of several machines: one's own first; another's is fetched for its principal, or it is said why not."""

import attrs
import pytest
from payloads_in_memory import MemoryPayloads
from remote_in_memory import MemoryRemote

from exai_trio.bus import payload_files
from exai_trio.bus.shared_payloads import SharedPayloads
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPiece
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_bucket import RESULTS, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.object_sender import Unsent

NAME = "0123456789abcdef0123456789abcdef"
BYTES = b"as it is stored" * 200
PAYLOAD = StoredPayload(
    transaction_id=NAME,
    principal="ann",
    session_id="s",
    request_id="r",
    status="delivered",
    size_bytes=9_000,
    stored_bytes=len(BYTES),
    compression="gzip",
    sha256="ab",
    created_at=1.0,
    expires_at=100.0,
    delivered_at=2.0,
    pieces=(StoredPiece(len(BYTES), "cd"),),
)
ROW = attrs.asdict(PAYLOAD) | {"pieces": [[len(BYTES), "cd"]]}


@pytest.fixture
def remote():
    return MemoryRemote({"exai_payload": ROW})


@pytest.fixture
def shared(remote, tmp_path):
    guarded = GuardedRemote()
    guarded.connect(remote)
    rows = MemoryPayloads()
    return SharedPayloads(
        rows=rows,
        copies=rows,
        folder=tmp_path,
        bucket=GuardedBucket(guarded, RESULTS),
        functions=GuardedFunctions(guarded),
    )


def files_in(shared):
    return [path for path in shared.folder.rglob("*") if path.is_file()]


async def test_one_of_another_machine_is_fetched_once(shared, remote):
    """For its principal; nobody here has had it yet, and the second time nobody is asked."""
    remote.bucket(RESULTS).contents[NAME] = BYTES
    found = await shared.find(NAME, "ann", 3.0)
    again = await shared.find(NAME, "ann", 3.0)

    assert attrs.evolve(PAYLOAD, status="stored", delivered_at=None) == found == again
    assert BYTES == payload_files.path_of(shared.folder, NAME).read_bytes()
    assert [("exai_payload", {"id": NAME, "principal": "ann"})] == remote.called


async def test_none_is_found_where_nobody_has_it(shared, remote):
    """Unknown to all, without its content, or over here, and so over everywhere: no row and no file is left."""
    remote.returns["exai_payload"] = None
    unknown = await shared.find(NAME, "ann", 3.0)
    remote.returns["exai_payload"] = ROW
    without_content = await shared.find(NAME, "ann", 3.0)
    rows_left = await shared.all()
    await shared.begin(PAYLOAD, 10**9)
    await shared.finish(PAYLOAD, 3.0)
    await shared.expire((NAME,), 3.0, "its time is over")
    remote.bucket(RESULTS).contents[NAME] = BYTES

    assert (None, None, ()) == (unknown, without_content, rows_left)
    assert await shared.find(NAME, "ann", 3.0) is None
    assert [] == files_in(shared)


async def test_it_is_said_why_it_cannot_be_looked_for(shared, remote):
    """It is not said to be unknown; when to ask again comes along."""
    remote.returns["exai_payload"] = HostedAway("Supabase is not there.", retry_after_s=7.0)
    with pytest.raises(ServiceUnavailableError, match="not on this machine, and supabase is not there") as fault:  # fmt: skip
        await shared.find(NAME, "ann", 3.0)

    assert 7.0 == fault.value.retry_after_s


async def test_one_that_cannot_be_written_here_is_a_fault_of_the_disk(shared, remote, monkeypatch):
    """Named with the file; nothing is left of it."""
    remote.bucket(RESULTS).contents[NAME] = BYTES

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(payload_files, "write_all", full)
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        await shared.find(NAME, "ann", 3.0)

    assert [] == files_in(shared)
    assert () == await shared.all()


async def test_a_content_is_sent_as_it_is_stored(shared):
    """One that is here no more is none; one that cannot be read is a fault."""
    path = payload_files.path_of(shared.folder, NAME)
    path.parent.mkdir()
    path.write_bytes(BYTES)
    unreadable = path.with_name("01" + "f" * 30)
    unreadable.symlink_to(unreadable)
    async with shared.to_send(NAME) as blocks:
        sent = b"".join([block async for block in blocks])
    async with shared.to_send("01" + "e" * 30) as none:
        assert none is None
    with pytest.raises(StorageError, match="cannot be read"):
        async with shared.to_send(unreadable.name):
            pass

    assert BYTES == sent


@pytest.mark.parametrize("known", [True, False])
async def test_what_has_arrived_is_told_with_its_place(shared, remote, known):
    """False as long as its row is still on its way."""
    remote.returns["exai_payload_stored"] = known

    assert known is await shared.note_sent(Unsent(RESULTS, NAME, 1, 0, ""))
    assert {"id": NAME, "path": f"{RESULTS}/{NAME}"} == remote.called[-1][1]


async def test_what_is_over_goes_from_the_bucket_and_that_is_told(shared, remote):
    """With how many bytes that freed; the contents of others stay."""
    remote.returns |= {"exai_due_payloads": [[NAME, 3], ["gone", 4]], "exai_payload_gone": None}
    remote.bucket(RESULTS).contents |= {NAME: b"old", "kept": b"new"}
    removed = await shared.remove_old()

    assert (2, {"kept": b"new"}) == (removed, remote.bucket(RESULTS).contents)
    assert [{"id": NAME, "freed": 3}, {"id": "gone", "freed": 4}] == [
        given for function, given in remote.called if function == "exai_payload_gone"
    ]


async def test_states_are_those_of_the_rows_here(shared):
    """What is told of a result goes to this machine's rows, of which the other side hears."""
    await shared.begin(PAYLOAD, 10**9)
    due = await shared.due(3.0, 10)
    await shared.finish(PAYLOAD, 3.0)
    await shared.deliver(NAME, 4.0)
    delivered = await shared.find(NAME, "ann", 4.0)
    await shared.expire((NAME,), 5.0, "its time is over")

    assert ([NAME], "delivered") == ([one.transaction_id for one in due], delivered.status)
    assert 1 == await shared.forget(6.0, 10)
    assert () == await shared.all()
