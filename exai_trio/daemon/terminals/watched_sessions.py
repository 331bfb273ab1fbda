"""The sessions whose keepers live: found at the start, watched one by one, remembered for a while when they have ended."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, Protocol

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.system.change import Change
from exai_trio.terminal.keeper_connection import KeeperConnection, KeeperGone, NoKeeper
from exai_trio.terminal.session_record import SessionRecord, record_of
from exai_trio.wire.terminal_errors import TerminalError

from .terminal_audit import TerminalAudit
from .terminal_counters import TerminalCounters

log = logging.getLogger("exai.terminals")

LINGER_S: Final = 60.0  # an exit is told so long
_CALLS: Final = 4  # of a keeper that hangs up
_CALL_AGAIN_S: Final = 0.2  # and so much longer each time
Seen = Literal["known", "none", "lost"]
"""What came of looking for a session: its keeper told of it, there is none, or it hung up."""


class KeepersPort(Protocol):
    """Where keepers are."""

    async def start(self, spec: dict[str, Any]) -> None:
        """Start one. Raises TerminalError. Cancelling may leave it running."""
        ...

    def connect(self, session_id: str) -> AbstractAsyncContextManager[KeeperConnection]: ...

    async def names(self) -> list[str]:
        """The sessions whose sockets are there. Cancelling leaves nothing behind."""
        ...

    async def sweep(self, session_id: str) -> None:
        """Remove the socket that nobody listens at. Cancelling may leave it."""
        ...


@structs.define(eq=False, kw_only=True)
class WatchedSessions:
    """`table` has copies of the records of those that live, `gone` of those that have ended within a minute."""

    keepers: KeepersPort
    now: Callable[[], float]
    audit: TerminalAudit
    counters: TerminalCounters
    table: dict[str, SessionRecord] = attrs.field(factory=dict[str, SessionRecord])
    gone: dict[str, SessionRecord] = attrs.field(factory=dict[str, SessionRecord])
    changed: Change = attrs.field(factory=Change)
    _watching: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Watch until cancelled; sessions live on. Started once those are found that earlier daemons left."""
        try:
            async with trio.open_nursery() as watching:
                self._watching = watching
                await self._adopt()
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._watching = None

    async def _adopt(self) -> None:
        names = await self.keepers.names()
        async with trio.open_nursery() as looking:
            for session_id in names:
                looking.start_soon(self._look_for, session_id)
        if names:
            log.info(
                "terminal sessions adopted", extra={"found": len(self.table), "sockets": len(names)}
            )

    async def watch(self, session_id: str) -> bool:
        """Keep a copy of its record from now on; whether there is such a session. Raises TerminalError if that cannot be said. Cancelling
        leaves it watched, or not."""
        seen = await self._look_for(session_id)
        if seen == "lost":
            raise TerminalError("CONNECTION_ERROR", "its keeper has hung up; try again")
        return seen == "known"

    async def _look_for(self, session_id: str) -> Seen:
        known = self.table.get(session_id)
        if self._watching is None or (known is not None and known.keeper):
            return "none" if known is None else "known"
        seen: Seen = await self._watching.start(self._follow, session_id)
        return seen

    async def _follow(self, session_id: str, task_status: trio.TaskStatus[Seen]) -> None:
        """Until the keeper is gone; one that hangs up is called again."""
        seen: Seen = "lost"
        failures = 0
        while failures < _CALLS:
            await trio.sleep(_CALL_AGAIN_S * failures)
            failures += 1
            try:
                async with self.keepers.connect(session_id) as connection:
                    await connection.ask("watch")
                    self._note(record_of(await connection.told("described")))
                    if seen != "known":
                        task_status.started(seen := "known")
                    failures = 0
                    await self._copy(connection)
            except NoKeeper:
                await self.keepers.sweep(session_id)
                seen = "none" if seen == "lost" else seen
                break
            except (KeeperGone, TerminalError, msgspec.ValidationError) as fault:
                log.debug("a keeper hung up", extra={"session_id": session_id, "why": repr(fault)})
        if seen == "known":
            await self._forget(session_id)
        else:
            task_status.started(seen)

    async def _copy(self, connection: KeeperConnection) -> None:
        """Raises KeeperGone."""
        while True:
            self._note(record_of(await connection.told("described")))

    def _note(self, record: SessionRecord) -> None:
        before = self.table.get(record.session_id)
        self.table[record.session_id] = record
        if before is not None and before.is_running and not record.is_running:
            self.counters.ended += 1
            self.counters.ended_s += max(0.0, self.now() - record.created)
            self.audit.note(
                "ended", session_id=record.session_id, principal=record.principal, exit=record.exit
            )
        self.changed.tell()

    async def _forget(self, session_id: str) -> None:
        """It is gone; for a while its exit is remembered for who comes late."""
        record = self.table.pop(session_id, None)
        self.changed.tell()
        if record is None:
            return
        if record.is_running:
            self.audit.note("lost", session_id=session_id, principal=record.principal)
            return
        self.gone[session_id] = record
        await trio.sleep(LINGER_S)
        self.gone.pop(session_id, None)
