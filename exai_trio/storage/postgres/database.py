"""The database as the daemon asks it: single statements over a few connections, which are opened when they are needed."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.postgres.trio_connection import (
    AnswerUnheard,
    DatabaseAway,
    Row,
    TrioConnection,
    connect,
)
from exai_trio.storage.store_times import StoreTimes

CONNECTIONS: Final = 8
ANSWER_S: Final = 10.0  # a statement that takes longer is given up
_AGAIN_S: Final = 1.0  # between two tries of one that is away
_DIFFER_S: Final = 2.0  # clocks that are nearer than this are taken for the same
_NOT_THERE: Final = ("42883", "3F000")  # SQLSTATE: no such function, no such schema


@structs.define(eq=False)
class Database:
    """Made by `open_database`. `ahead_s`: by how much our clock is ahead of the database's, which counts; `version` of its schema, None until it has been looked at. While it is away it is asked once a second; others are told so at once."""

    url: str
    now: Callable[[], float]
    times: StoreTimes = attrs.field(factory=StoreTimes)
    ahead_s: float = 0.0
    version: int | None = None
    fault: StorageError | None = None  # of the newest statement
    _again_at: float = 0.0  # trio's clock
    _idle: list[TrioConnection] = attrs.field(factory=list[TrioConnection])
    _places: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(CONNECTIONS))

    async def ask(self, statement: str, *values: Any) -> list[Row]:
        """The rows of one statement, which is a transaction of its own. Raises DataRefused, DatabaseAway: nothing was done;
        AnswerUnheard: it may have been. Cancelled, it may have been, too."""
        if self.fault is not None and trio.current_time() < self._again_at:
            raise DatabaseAway(self.fault.message, details=self.fault.details)
        self._again_at = trio.current_time() + _AGAIN_S
        try:
            with self.times.timed("postgres", "ask"), trio.fail_after(ANSWER_S):
                rows = await self._asked(statement, values)
        except trio.TooSlowError:
            self.fault = AnswerUnheard(f"PostgreSQL does not answer within {ANSWER_S:g} s.")
            raise self.fault from None
        except DatabaseAway as fault:
            self.fault = fault
            raise
        self.fault = None
        return rows

    async def _asked(self, statement: str, values: Sequence[Any]) -> list[Row]:
        await self._take_place()
        try:
            connection = self._usable() or await connect(self.url)
            try:
                return await connection.ask(statement, values)
            finally:
                self._take_back(connection)
        finally:
            self._places.release()

    async def _take_place(self) -> None:
        """Without a turn of the event loop if one is free."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()

    def _usable(self) -> TrioConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.end()
        return None

    def _take_back(self, connection: TrioConnection) -> None:
        if connection.is_usable:
            self._idle.append(connection)
        else:
            connection.end()

    async def look(self) -> None:
        """Note its clock and the version of its schema, 0 for a database that was never migrated. Raises DatabaseAway; cancelling
        changes nothing."""
        asked_at = self.now()
        try:
            ((state,),) = await self.ask("select public.exai_state()")
        except DatabaseAway as fault:
            if fault.details.get("sqlstate") not in _NOT_THERE:
                raise
            self.version, self.fault = 0, None
            return
        ahead = (asked_at + self.now()) / 2 - state["now"]
        self.ahead_s = ahead if abs(ahead) > _DIFFER_S else 0.0
        self.version = state["version"]

    def close(self) -> None:
        """Its idle connections; who asks afterwards opens another."""
        while self._idle:
            self._idle.pop().end()


@asynccontextmanager
async def open_database(
    url: str, now: Callable[[], float], times: StoreTimes | None = None
) -> AsyncGenerator[Database]:
    """Nothing is asked yet. Leaving, or cancelling, closes its connections."""
    database = Database(url, now, times or StoreTimes())
    try:
        yield database
    finally:
        database.close()
