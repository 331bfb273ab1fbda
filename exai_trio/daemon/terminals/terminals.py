"""The only way to terminal sessions: create, attach, list, rename, close.

A session's record is held by its keeper, and here is a copy as long as the keeper lives: one task a session watches that. A
daemon that starts finds the keepers that live. No byte of a terminal passes through here.
"""

import logging
import secrets
import string
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.resilience.rate import Buckets, Rate
from exai_trio.terminal.keeper.kept_session import Refused, checked_size
from exai_trio.terminal.keeper_connection import KeeperConnection, KeeperGone
from exai_trio.terminal.program_choice import chosen
from exai_trio.terminal.session_policy import Visitor, check_room, free_name, may_see, not_found
from exai_trio.terminal.session_record import SessionRecord, record_of
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import Create, is_project_id

from .flood_pace import FloodPace
from .terminal_audit import TerminalAudit
from .terminal_counters import TerminalCounters
from .watched_sessions import LINGER_S, KeepersPort, WatchedSessions

log = logging.getLogger("exai.terminals")

RING_BYTES: Final = 4 * 2**20
_SECONDS_OF_AN_HOUR: Final = 3600.0
_KILL_S: Final = 12.0  # SIGHUP, SIGTERM and SIGKILL, two seconds apart, and some for a busy machine
_ATTACHES: Final = Rate(per_s=20.0, burst=100.0)  # of one principal
_FLUSH_S: Final = 1.0  # for the last lines of the audit
_LETTERS: Final = string.ascii_lowercase + string.digits
_LENGTH: Final = 25


def new_id(now: float) -> str:
    """An id that nobody can guess."""
    tail = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return f"session_{int(now * 1000)}_{tail}"


@structs.define(eq=False, kw_only=True)
class Terminals:
    """All sessions of this home; `leaving` is set once the clients are to go elsewhere."""

    config: Config
    keepers: KeepersPort
    now: Callable[[], float]
    audit: TerminalAudit
    counters: TerminalCounters = attrs.field(factory=TerminalCounters)
    leaving: trio.Event = attrs.field(factory=trio.Event)
    pace: FloodPace = attrs.field(factory=FloodPace)
    _rates: Buckets = attrs.field(factory=lambda: Buckets(_ATTACHES))
    watched: WatchedSessions = attrs.Factory(lambda self: self.make_watched(), takes_self=True)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch the sessions until cancelled; they live on. Started once those are found that earlier daemons left."""
        try:
            async with trio.open_nursery() as running:
                running.start_soon(self.audit.run)
                await running.start(self.watched.run)
                task_status.started()
        finally:
            with trio.move_on_after(_FLUSH_S, shield=True):
                await self.audit.flush()

    def make_watched(self) -> WatchedSessions:
        return WatchedSessions(
            keepers=self.keepers, now=self.now, audit=self.audit, counters=self.counters
        )

    @property
    def table(self) -> dict[str, SessionRecord]:
        return self.watched.table

    def leave(self) -> None:
        """The clients are told to come back, to the next daemon: sessions go on without us."""
        self.leaving.set()

    async def create(self, wish: Create, visitor: Visitor) -> SessionRecord:
        """A new session, whose program runs. Raises TerminalError. Cancelling may leave it running; it is in the table then, or is
        found by the next daemon."""
        record = await self._create(wish, visitor)
        facts = {"session_id": record.session_id, "type": record.type}
        self.audit.note("created", principal=visitor.principal, **facts)
        log.info("terminal.session.created", extra=facts)
        return record

    async def _create(self, wish: Create, visitor: Visitor) -> SessionRecord:
        config, now = self.config, self.now()
        if wish.project_id is not None and not is_project_id(wish.project_id):
            raise TerminalError("INVALID_REQUEST", "project_id must be a UUID of version 4")
        if not wish.tab_name.isprintable():
            raise TerminalError("INVALID_REQUEST", "a name has printable characters only")
        if any("\0" in word for word in [*wish.command, wish.project_path or ""]):
            raise TerminalError("INVALID_REQUEST", "no word or path has a NUL character")
        _check_size(wish)
        check_room(self.table.values(), visitor, config.term_max, config.term_max_per_principal)
        record = SessionRecord(
            session_id=new_id(now),
            type=wish.type,
            tab_name=wish.tab_name or free_name(self.table.values(), wish.type),
            project_path=wish.project_path or "",
            project_id=wish.project_id,
            principal=visitor.principal,
            created=now,
        )
        self.table[record.session_id] = record  # from now on it counts
        try:
            await self._start(record, wish)
        finally:
            kept = self.table.get(record.session_id)
            if kept is not None and not kept.keeper:
                del self.table[record.session_id]
        return self.table.get(record.session_id, record)

    async def _start(self, record: SessionRecord, wish: Create) -> None:
        choose = partial(
            chosen, self.config, wish.type, wish.command, wish.project_path, record.session_id
        )
        choice = await trio.to_thread.run_sync(choose)
        spec = {
            "record": _told(attrs.evolve(record, project_path=choice.folder)),
            "file": choice.file,
            "words": choice.words,
            "cwd": choice.folder,
            "variables": choice.variables,
            "cols": wish.cols,
            "rows": wish.rows,
            "ring_bytes": RING_BYTES,
            "hold_s": self.config.term_hold_s,
            "idle_s": self.config.term_idle_h * _SECONDS_OF_AN_HOUR,
            "linger_s": LINGER_S,
        }
        is_there = False
        try:
            await self.keepers.start(spec)
            is_there = await self.watched.watch(record.session_id)
        finally:
            self.counters.note_creation(trio.current_time(), failed=not is_there)
        if not is_there:
            raise TerminalError("NOT_STARTED", "the program ended at once, and its keeper with it")

    @asynccontextmanager
    async def attach(self, session_id: str, visitor: Visitor) -> AsyncGenerator[KeeperConnection]:
        """A connection to the keeper, for one client. Raises TerminalError, KeeperGone once the session is gone. The session goes on
        when the context is left, or cancelled."""
        record = await self.find(session_id, visitor)
        bucket = self._rates.of(visitor.principal, trio.current_time())
        wait_s = bucket.wait_s(trio.current_time())
        if wait_s:
            raise TerminalError(
                "CONNECTION_ERROR", "too many attachments within a second; try again in a moment"
            )
        bucket.take(trio.current_time())
        async with self.keepers.connect(record.session_id) as connection:
            yield connection

    async def find(self, session_id: str, visitor: Visitor) -> SessionRecord:
        """The record of a session that lives. Raises TerminalError. Cancelling leaves nothing behind."""
        if session_id not in self.table and session_id not in self.watched.gone:
            await self.watched.watch(session_id)  # one that another daemon has started
        record = self.table.get(session_id)
        if record is None or not may_see(visitor, record):
            raise not_found(session_id)
        return record

    def remembered(self, session_id: str, visitor: Visitor) -> SessionRecord | None:
        """The record of a session that is gone, and had an exit within a minute."""
        record = self.watched.gone.get(session_id)
        return record if record is not None and may_see(visitor, record) else None

    def list(self, visitor: Visitor) -> list[SessionRecord]:
        """Those that this visitor may see, the oldest first."""
        seen = [record for record in self.table.values() if may_see(visitor, record)]
        return sorted(seen, key=lambda record: record.created)

    async def rename(self, session_id: str, name: str, visitor: Visitor) -> SessionRecord:
        """Give it this name. Raises TerminalError. Cancelling may leave it with either name."""
        record = await self.find(session_id, visitor)
        try:
            async with self.keepers.connect(record.session_id) as connection:
                await connection.ask("rename", tab_name=name)
                self.table[session_id] = record_of(await connection.told("described"))
        except KeeperGone as fault:
            raise not_found(session_id) from fault
        return self.table[session_id]

    async def close(self, session_id: str, visitor: Visitor) -> SessionRecord:
        """End it, and all that it has started; the record has the exit. Raises TerminalError. Cancelling leaves it ending."""
        record = await self.find(session_id, visitor)
        self.audit.note("killed", session_id=session_id, principal=visitor.principal)
        try:
            async with self.keepers.connect(record.session_id) as connection:
                await connection.ask("kill")
        except KeeperGone:
            log.debug("its keeper is gone already", extra={"session_id": session_id})
        with trio.move_on_after(_KILL_S):
            await trio.lowlevel.checkpoint()
            while (here := self.table.get(session_id)) is not None and here.is_running:
                await self.watched.changed.wait()
        return self.table.get(session_id) or self.watched.gone.get(session_id) or record

    def told(self) -> dict[str, Any]:
        """What a report says of it."""
        running = {kind: count for (kind,), count in self.running_by_type().items()}
        return {"sessions": running, **self.counters.told()}

    def running_by_type(self) -> dict[tuple[str, ...], int]:
        """How many run, by their type alone."""
        kinds = [record.type for record in self.table.values() if record.is_running]
        return {(kind,): kinds.count(kind) for kind in ("system", "claude")}

    def attaches_of_a_minute(self) -> Mapping[str, int]:
        """By client."""
        return self.counters.attaches_of_a_minute(trio.current_time())

    def creations_of_an_hour(self) -> tuple[int, int]:
        """How many there were, and how many of them failed."""
        return self.counters.creations_of_an_hour(trio.current_time())


def _check_size(wish: Create) -> None:
    try:
        checked_size(wish.cols, wish.rows)
    except Refused as refused:
        raise TerminalError(refused.code, refused.message) from refused


def _told(record: SessionRecord) -> dict[str, Any]:
    """What of a record its keeper is given."""
    kept = ("session_id", "type", "tab_name", "project_path", "project_id", "principal", "created")
    return {name: getattr(record, name) for name in kept}
