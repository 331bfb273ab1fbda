"""A connection to PostgreSQL that trio waits for: psycopg speaks the protocol. The only module of this room that knows psycopg.

psycopg writes its protocol as generators that say what they wait for; its own connection has asyncio wait for that.
"""

import select
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, TypeVar

import trio
from psycopg import AsyncConnection, Error, OperationalError, generators
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import tuple_row
from psycopg.waiting import Ready, Wait

from exai_trio.errors import StorageError

T = TypeVar("T")
Row = tuple[Any, ...]

_CONNECT_S: Final = 5.0
# Classes of SQLSTATE: the data, or a rule about them; and a connection or a server that ends, of which nobody knows what was done before.
_REFUSED: Final = ("22", "23")
_CUT: Final = ("08", "57")


class DatabaseAway(StorageError):
    """It cannot be reached, or does not do what it is asked."""


class AnswerUnheard(DatabaseAway):
    """It was asked, and may have done it."""


class DataRefused(StorageError):
    """The database holds no such thing; nothing was done."""


class TrioConnection(AsyncConnection[Row]):
    """A statement is a transaction of its own. Cancelled, it may have been carried out or not, and the connection is closed: so
    nothing is left half read."""

    def __init__(self, opened: PGconn) -> None:
        super().__init__(opened, row_factory=tuple_row)
        # In the place of asyncio's: one task at a time has a connection, and a lock of trio's would be a turn of the event loop for each statement.
        lock: Any = nullcontext()
        self.lock = lock

    async def wait(self, gen: Any, interval: float = 0.0, timeout: float | None = None) -> Any:
        """As AsyncConnection's; it never times out, since trio's cancel scopes say for how long."""
        try:
            return await _awaited(gen, self.pgconn.socket)
        except trio.Cancelled:
            self.pgconn.finish()
            raise

    @property
    def is_usable(self) -> bool:
        """It stands between two statements, and the server has not hung up."""
        idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        return idle and not self.closed and not _has_something_to_read(self.pgconn.socket)

    def end(self) -> None:
        """At once, whatever it is doing."""
        self.pgconn.finish()

    async def ask(self, statement: str, values: Sequence[Any]) -> list[Row]:
        """Its rows; none if it gives none. Raises DataRefused, DatabaseAway, AnswerUnheard."""
        try:
            cursor = await self.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []
        except Error as fault:
            raise told(fault, asked=True) from None

    async def notified(self) -> tuple[tuple[str, str], ...]:
        """Channel and text of what has been said, at least once, where it listens. Raises DatabaseAway. Cancelled, what was said is
        lost."""
        try:
            while True:
                said: list[tuple[str, str]] = []
                while (word := self.pgconn.notifies()) is not None:
                    said.append((word.relname.decode(), word.extra.decode()))
                if said:
                    return tuple(said)
                await trio.lowlevel.wait_readable(self.pgconn.socket)
                self.pgconn.consume_input()
        except Error as fault:
            raise told(fault) from None


async def connect(url: str) -> TrioConnection:
    """To the first of its hosts that answers and is what the URL wants. Raises DatabaseAway. Cancelling leaves no connection."""
    try:
        attempts = await trio.to_thread.run_sync(
            partial(conninfo_attempts, conninfo_to_dict(url)), abandon_on_cancel=True
        )
        last: DatabaseAway | None = None
        for attempt in attempts:
            try:
                # else texts of a database without an encoding come as bytes
                return await _connected(make_conninfo("", **attempt | {"client_encoding": "UTF8"}))
            except DatabaseAway as fault:
                last = fault
    except Error as fault:
        raise told(fault) from None
    raise last or DatabaseAway("DATABASE_URL names no host.")


async def _connected(one_host: str) -> TrioConnection:
    with trio.move_on_after(_CONNECT_S):
        try:
            connection = TrioConnection(await _awaited(generators.connect(one_host)))
            await connection.set_autocommit(True)
        except Error as fault:
            raise told(fault) from None
        return connection
    raise DatabaseAway(f"PostgreSQL does not answer within {_CONNECT_S:g} s.")


def told(fault: Error, *, asked: bool = False) -> StorageError:
    """Without what psycopg quotes of rows, statements and passwords. `asked`: a statement was sent."""
    code = fault.sqlstate or ""
    if code.startswith(_REFUSED):
        return DataRefused(f"PostgreSQL refuses this ({code}).", details={"sqlstate": code})
    reason = fault.diag.message_primary or _first_line(fault)
    is_unheard = asked and (not code or code.startswith(_CUT))
    return (AnswerUnheard if is_unheard else DatabaseAway)(
        f"PostgreSQL cannot be used ({code or reason}).", details={"sqlstate": code}
    )


def _first_line(fault: Error) -> str:
    if isinstance(fault, OperationalError):
        return "no connection"
    return type(fault).__name__


def _has_something_to_read(descriptor: int) -> bool:
    looked = select.poll()
    looked.register(descriptor, select.POLLIN)
    return bool(looked.poll(0))


async def _awaited(steps: Generator[Any, Any, T], descriptor: int | None = None) -> T:
    """What the generator returns; without a descriptor it says at each step for which one it waits."""
    ready: Ready | None = None
    while True:
        try:
            asked = steps.send(ready) if ready is not None else next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if descriptor is None:
            socket, what = asked
        else:
            socket, what = descriptor, asked
        ready = await _ready(socket, what)


async def _ready(socket: int, what: Wait) -> Ready:
    if what == Wait.R:
        await trio.lowlevel.wait_readable(socket)
        return Ready.R
    if what == Wait.W:
        await trio.lowlevel.wait_writable(socket)
        return Ready.W
    return await _either(socket)


async def _either(socket: int) -> Ready:
    """The server may speak while it is written to."""
    found = Ready.NONE

    async def note(wait: Any, ready: Ready) -> None:
        nonlocal found
        await wait(socket)
        found = Ready(found | ready)
        both.cancel_scope.cancel()

    async with trio.open_nursery() as both:
        both.start_soon(note, trio.lowlevel.wait_readable, Ready.R)
        both.start_soon(note, trio.lowlevel.wait_writable, Ready.W)
    return found
