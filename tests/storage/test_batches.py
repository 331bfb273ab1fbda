"""A batch is one transaction, in which each write may fail alone."""

import sqlite3
from contextlib import closing, nullcontext

import pytest

from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import Write
from exai_trio.storage.sqlite.batches import carry_out
from exai_trio.storage.sqlite.error_kinds import Damaged, DiskFull


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE numbers (number)")
        yield opened


def adds(number, *faults):
    """Work that adds a number, and then raises the next of the faults, if there is one."""
    left = list(faults)

    def work(connection):
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        fault = left.pop(0) if left else None
        if fault is not None:
            raise fault
        return number

    return work


def kept(connection):
    return [number for (number,) in connection.execute("SELECT number FROM numbers")]


@pytest.mark.parametrize("fault", [ZeroDivisionError("x"), StorageError("x")])
def test_a_write_that_fails_alone_is_undone_alone(connection, fault):
    """Its asker has the fault, and the others what they asked for."""
    batch = [Write(adds(1)), Write(adds(2, fault)), Write(adds(3))]
    carry_out(connection, batch, nullcontext)

    assert [1, 3] == kept(connection)
    assert [None, fault, None] == [write.fault for write in batch]
    assert [1, None, 3] == [write.result for write in batch]


def test_a_lone_write_is_undone_whole(connection):
    """Also where nothing else is in its batch."""
    write = Write(adds(1, ZeroDivisionError("x")))
    carry_out(connection, [write], nullcontext)

    assert [] == kept(connection)
    assert isinstance(write.fault, ZeroDivisionError)


@pytest.mark.parametrize("fault", [DiskFull("x"), Damaged("x")])
def test_what_is_wrong_with_the_file_fails_the_batch_and_a_second_try_finds_no_trace(
    connection, fault
):
    """Neither of what was written before it, nor of who failed then."""
    batch = [Write(adds(1, ZeroDivisionError("x"))), Write(adds(2)), Write(adds(3, fault))]
    with pytest.raises(type(fault)):
        carry_out(connection, batch, nullcontext)
    after_first = (kept(connection), connection.in_transaction)
    carry_out(connection, batch, nullcontext)

    assert ([], False) == after_first
    assert [1, 2, 3] == kept(connection)
    assert [None] * 3 == [write.fault for write in batch]


def test_a_fault_that_ended_the_transaction_fails_the_batch(connection):
    """What follows would be written outside of it."""

    def ends_it(connection):
        connection.execute("ROLLBACK")
        raise StorageError("x")

    with pytest.raises(StorageError, match="x"):
        carry_out(connection, [Write(adds(1)), Write(ends_it), Write(adds(2))], nullcontext)

    assert [] == kept(connection)
