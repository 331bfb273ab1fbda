"""The contract of StoredPayloads: in memory, in the file, shared with other machines, and shared while Supabase is away."""

from contextlib import asynccontextmanager

import attrs
import pytest
from hosted.shared_machine import open_shared_machine
from memory_and_sqlite import either
from payloads_in_memory import MemoryPayloads

from exai_trio.bus.shared_payloads import SharedPayloads
from exai_trio.errors import ServiceUnavailableError
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPiece
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import open_sqlite

PENDING = StoredPayload(
    transaction_id="txn_1",
    principal="ann",
    session_id="win",
    request_id="r1",
    status="pending",
    size_bytes=100,
    stored_bytes=100,
    compression="gzip",
    created_at=10.0,
    expires_at=50.0,
)
STORED = attrs.evolve(
    PENDING,
    status="stored",
    stored_bytes=40,
    sha256="5a",
    pieces=(StoredPiece(30, "00ff"), StoredPiece(10, "")),
)
MOST = 1_000


class AwayPayloads(SharedPayloads):
    """Its other side is away: what is not here is unavailable, which its own tests say, and None for the contract's."""

    async def find(self, transaction_id, principal, now):
        try:
            return await super().find(transaction_id, principal, now)
        except ServiceUnavailableError:
            return None


@asynccontextmanager
async def shared(path, stage):
    async with (
        stage.open_gateway() as gateway,
        open_shared_machine(path.parent, gateway) as machine,
    ):
        yield machine.contents.payloads


@asynccontextmanager
async def shared_away(path, stage):
    async with (
        stage.open_gateway() as gateway,
        open_shared_machine(path.parent, gateway) as machine,
    ):
        machine.go_away()
        yield AwayPayloads(**attrs.asdict(machine.contents.payloads, recurse=False))


HOSTED = [
    pytest.param(shared, id="mirror", marks=pytest.mark.real),
    pytest.param(shared_away, id="mirror-away", marks=pytest.mark.real),
]


@pytest.fixture(params=[*either(MemoryPayloads, SqlitePayloads), *HOSTED])
async def rows(request, tmp_path):
    needs = (request.getfixturevalue("stage"),) if request.param in {shared, shared_away} else ()
    async with request.param(tmp_path / "exai.db", *needs) as opened:
        yield opened


async def stored(rows, name="txn_1", **fields):
    row = attrs.evolve(STORED, transaction_id=name, **fields)
    await rows.begin(attrs.evolve(row, status="pending"), MOST)
    assert await rows.finish(row, 11.0)
    return row


async def test_what_is_pending_cannot_be_found(rows):
    """What is stored can, as it was described, by its principal, until its time."""
    assert await rows.begin(PENDING, MOST)
    assert None is await rows.find("txn_1", "ann", 20.0)
    assert await rows.finish(STORED, 11.0)

    assert STORED == await rows.find("txn_1", "ann", 20.0)
    assert None is await rows.find("txn_1", "bob", 20.0)
    assert None is await rows.find("txn_1", "ann", 50.0)
    assert None is await rows.find("txn_2", "ann", 20.0)


async def test_there_is_so_much_room(rows):
    """What is pending counts with its whole size, what has expired not at all."""
    assert await rows.begin(PENDING, 150)
    second = attrs.evolve(PENDING, transaction_id="txn_2")
    assert not await rows.begin(second, 150)
    await rows.finish(STORED, 11.0)
    assert await rows.begin(second, 150)
    await rows.expire(("txn_1", "txn_2"), 20.0, "a test")

    assert await rows.begin(attrs.evolve(PENDING, transaction_id="txn_3"), 100)


async def test_states_go_one_way(rows):
    """Delivered twice is once; what has expired stays so, and is not finished any more."""
    await stored(rows)
    await rows.deliver("txn_1", 12.0)
    await rows.deliver("txn_1", 13.0)
    found = await rows.find("txn_1", "ann", 20.0)
    assert ("delivered", 12.0) == (found.status, found.delivered_at)
    await rows.expire(("txn_1",), 20.0, "a test")
    await rows.deliver("txn_1", 21.0)

    assert ["expired"] == [row.status for row in await rows.all()]
    assert None is await rows.find("txn_1", "ann", 20.0)
    assert not await rows.finish(STORED, 22.0)


async def test_only_what_is_pending_still_may_be_asked_to_expire(rows):
    """It is told what has expired: another may have finished it meanwhile."""
    await stored(rows)
    await rows.begin(attrs.evolve(PENDING, transaction_id="txn_2"), MOST)
    both = ("txn_1", "txn_2", "txn_3")

    assert ("txn_2",) == await rows.expire(both, 20.0, "a test", if_pending=True)
    assert STORED == await rows.find("txn_1", "ann", 20.0)
    assert ("txn_1",) == await rows.expire(both, 20.0, "a test")
    assert () == await rows.expire(both, 20.0, "a test")


async def test_due_are_the_old_and_the_pending(rows):
    await stored(rows, "txn_old", created_at=1.0, expires_at=15.0)
    await stored(rows, "txn_young")
    await rows.begin(PENDING, MOST)

    assert ["txn_old", "txn_1"] == [row.transaction_id for row in await rows.due(20.0, 9)]
    assert ["txn_old"] == [row.transaction_id for row in await rows.due(20.0, 1)]
    await rows.expire(("txn_old", "txn_1"), 20.0, "a test")
    assert () == await rows.due(20.0, 9)


async def test_rows_of_what_has_expired_are_forgotten(rows):
    for name in ("txn_1", "txn_2"):
        await stored(rows, name)
    await rows.expire(("txn_1",), 20.0, "a test")
    await rows.expire(("txn_2",), 30.0, "a test")

    assert 1 == await rows.forget(25.0, 9)
    assert ["txn_2"] == [row.transaction_id for row in await rows.all()]


@pytest.mark.real
async def test_each_step_is_in_the_audit(tmp_path):
    """With its bytes, and without a byte of the text."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        rows = SqlitePayloads(store)
        await stored(rows)
        await rows.deliver("txn_1", 12.0)
        await rows.expire(("txn_1",), 60.0, "its time is over")
        noted = await store.read(
            lambda connection: connection.execute(
                "SELECT at, stage, subject, why, bytes FROM audit_log ORDER BY id"
            ).fetchall()
        )

    assert [
        (10.0, "bus", "txn_1", "pending", 40),
        (11.0, "bus", "txn_1", "stored", 40),
        (12.0, "bus", "txn_1", "delivered", 0),
        (60.0, "bus", "txn_1", "expired: its time is over", 40),
    ] == noted
