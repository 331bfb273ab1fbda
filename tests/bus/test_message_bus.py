"""The message bus over rows in memory and files on a disk."""

import threading
from hashlib import sha256

import attrs
import pytest
import trio
from payloads_in_memory import MemoryPayloads

from exai_trio.bus import payload_files
from exai_trio.bus.message_bus import BusRules, MessageBus
from exai_trio.bus.payload_files import Format, path_of, stored_names
from exai_trio.errors import (
    InvalidRequestError,
    NotFoundError,
    PayloadDamagedError,
    StorageError,
    TooLargeError,
)

TEXT = "what the model said, at length\n" * 60_000
HOUR = 3600.0


@attrs.define
class Time:
    """A clock that stands until it is set."""

    now: float = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def bus(tmp_path, clock):
    return MessageBus(MemoryPayloads(), tmp_path / "bus", clock)


async def put(bus, text=TEXT, principal="ann"):
    size = len(text.encode())
    return await bus.put(text, size, principal=principal, session="win", request="r1")


async def fetched(bus, payload):
    got = b""
    while len(got) < payload.size_bytes:
        got += await bus.piece(payload, len(got))
    return got.decode()


async def test_what_was_put_is_fetched(bus):
    """The row goes from pending to stored to delivered, and each step is in the audit."""
    stored = await put(bus)
    found = await bus.find(stored.transaction_id, "ann")
    await bus.deliver(found)
    (row,) = await bus.rows.all()

    assert TEXT == await fetched(bus, found)
    assert TEXT == await bus.text(found)
    assert ["pending", "stored", "delivered"] == [why for _, why in bus.rows.audit]
    assert ("delivered", "win", "r1") == (row.status, row.session_id, row.request_id)
    assert bus.held_bytes == row.stored_bytes < row.size_bytes


@pytest.mark.parametrize("text", [TEXT, "€" * 400_000, "n" + "é" * 300_000])
async def test_its_hash_is_that_of_its_utf8(bus, text):
    """Unless none is wanted."""
    unhashed = attrs.evolve(bus, rules=BusRules(format=Format(checksums=False)))

    assert sha256(text.encode()).hexdigest() == (await put(bus, text)).sha256
    assert "" == (await put(unhashed, text)).sha256


async def test_several_pieces_are_read_at_once(bus):
    stored = await put(bus)
    offsets = (0, 262_144, 600_000)

    assert [await bus.piece(stored, one) for one in offsets] == await bus.pieces(stored, offsets)


async def test_anothers_is_not_there(bus, clock):
    """Nor one that nobody has put, nor one whose time is over."""
    stored = await put(bus)
    clock.now += 49 * HOUR

    for transaction, principal in [("txn_0", "ann"), (stored.transaction_id, "bob"),
                                   (stored.transaction_id, "ann")]:  # fmt: skip
        with pytest.raises(NotFoundError):
            await bus.find(transaction, principal)


async def test_an_offset_beyond_the_end_is_refused(bus):
    stored = await put(bus)

    for offset in (stored.size_bytes, 10**15):
        with pytest.raises(InvalidRequestError, match="beyond the end"):
            await bus.piece(stored, offset)


async def test_a_damaged_piece_is_never_given(bus):
    """The others are."""
    stored = await put(bus)
    path = path_of(bus.folder, stored.transaction_id)
    data = bytearray(path.read_bytes())
    data[stored.pieces[0].length + 10] ^= 1
    path.write_bytes(data)

    assert TEXT[:262_144] == (await bus.piece(stored, 0)).decode()
    assert 1 == len(await bus.pieces(stored, (0, 262_144, 2 * 262_144)))
    with pytest.raises(PayloadDamagedError):
        await bus.piece(stored, 262_144)
    with pytest.raises(PayloadDamagedError):
        await bus.text(stored)


async def test_what_is_too_large_or_too_much_is_not_kept(bus, clock):
    size = len(TEXT)
    small = attrs.evolve(bus, rules=BusRules(payload_bytes=size - 1))
    narrow = attrs.evolve(bus, rules=BusRules(total_bytes=size + 10))

    with pytest.raises(TooLargeError):
        await put(small)
    first = await put(narrow)
    with pytest.raises(StorageError, match="full"):
        await put(narrow, TEXT + TEXT)
    clock.now += 49 * HOUR
    await narrow.expire_payloads(clock.now, 100)
    await put(narrow)  # there is room again

    assert first.transaction_id not in stored_names(bus.folder)


@pytest.mark.parametrize("spoil", ["read-only", "a file in its place"])
async def test_a_disk_that_refuses_is_told(bus, spoil, monkeypatch):
    """And nothing is left: no file, and a row that is over."""
    if spoil == "read-only":
        monkeypatch.setattr(payload_files.os, "open", _refuse)
    else:
        bus.folder.touch()
    with pytest.raises(StorageError, match="cannot be written"):
        await put(bus)
    (row,) = await bus.rows.all()

    assert "expired" == row.status
    assert 0 == bus.held_bytes


def _refuse(*_given):
    raise OSError(30, "Read-only file system")


async def test_what_is_cancelled_cannot_be_asked_for(bus, clock, monkeypatch):
    """Its file is gone at once, its row with the next upkeep."""
    with trio.CancelScope() as scope:
        monkeypatch.setattr(payload_files, "pack", _telling(scope.cancel))
        await put(bus)
    assert scope.cancelled_caught
    assert () == stored_names(bus.folder)
    clock.now += 0.5 * HOUR
    await bus.expire_payloads(clock.now, 100)
    (row,) = await bus.rows.all()

    assert "expired" == row.status


def _telling(heard, pack=payload_files.pack):
    """It says in the event loop that it has begun, in its thread's place."""

    def begun(piece, compression):
        trio.from_thread.run_sync(heard)
        return pack(piece, compression)

    return begun


async def test_time_takes_all_of_it(bus, clock):
    """The row stays for a day, so that one can see what became of it."""
    await put(bus)
    await bus.expire_payloads(clock.now + 47 * HOUR, 100)
    assert 1 == len(stored_names(bus.folder))
    assert 1 == await bus.expire_payloads(clock.now + 48 * HOUR, 100)
    (row,) = await bus.rows.all()
    assert ("expired", ()) == (row.status, stored_names(bus.folder))
    await bus.expire_payloads(clock.now + 73 * HOUR, 100)

    assert () == await bus.rows.all()
    assert 0 == bus.held_bytes


async def test_no_more_than_the_limit_goes_at_once(bus, clock):
    for _ in range(3):
        await put(bus)

    assert 2 == await bus.expire_payloads(clock.now + 50 * HOUR, 2)
    assert 1 == await bus.expire_payloads(clock.now + 50 * HOUR, 2)


async def test_the_next_daemon_finds_what_a_kill_left(bus, clock, tmp_path):
    """Rows that are pending, files without a row, files that were not finished: all go. What is stored stays."""
    stored = await put(bus)
    lost = await put(bus)
    path_of(bus.folder, "txn_00ff").parent.mkdir(exist_ok=True)
    path_of(bus.folder, "txn_00ff").with_name("txn_00ff.new").touch()
    bus.rows._rows[lost.transaction_id] = attrs.evolve(lost, status="pending")

    after = MessageBus(bus.rows, bus.folder, clock)
    await after.upkeep(None)
    by_status = {row.transaction_id: row.status for row in await bus.rows.all()}

    assert (stored.transaction_id,) == stored_names(bus.folder)
    assert {stored.transaction_id: "stored", lost.transaction_id: "expired"} == by_status
    assert stored.stored_bytes == after.held_bytes


class ReadBefore(MemoryPayloads):
    """Rows as they were an hour ago, when nothing was finished."""

    async def all(self):
        return tuple(
            attrs.evolve(row, status="pending", created_at=row.created_at - HOUR)
            for row in await super().all()
        )


async def test_what_is_finished_while_the_rows_are_read_stays(tmp_path, clock):
    """The upkeep has seen it as pending; its client has the reference by now."""
    bus = MessageBus(ReadBefore(), tmp_path / "bus", clock)
    stored = await put(bus)
    await bus.upkeep(clock.now)
    await bus.upkeep(clock.now)

    assert TEXT == await fetched(bus, await bus.find(stored.transaction_id, "ann"))


async def test_what_is_being_written_is_no_leftover(bus, monkeypatch):
    """The upkeep runs beside the calls."""
    begun, looked = trio.Event(), threading.Event()
    pack = payload_files.pack
    monkeypatch.setattr(
        payload_files, "pack", _telling(begun.set, lambda *given: looked.wait() and pack(*given))
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, bus)
        await begun.wait()
        await bus.upkeep(bus.now())
        looked.set()
    (row,) = await bus.rows.all()

    assert "stored" == row.status
