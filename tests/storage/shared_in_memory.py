"""The calls that daemons share, in dicts: for tests and for the simulation, held by the same contract tests.

A step of it is a transaction. What daemons may not rely on can be taken from them: that it answers, and that they are notified.
"""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.principals import principal_of
from exai_trio.storage.event_journal import EventJournal, Name
from exai_trio.storage.journal import KeptCall, KeptOutcome, KeptSession
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)
from exai_trio.storage.shared.shared_calls import (
    LEASE_S,
    UNNUMBERED,
    AnswerLost,
    CallMoved,
    CallName,
    Compared,
    DaemonFacts,
    FinishedAs,
    Heard,
    KnownDaemon,
    Renewed,
    Said,
    SessionMoved,
    SharedCalls,
)
from exai_trio.storage.sqlite.error_kinds import NotKept

_LONGEST = 7_900


@structs.define
class _Row:
    """A call, and who runs it."""

    call: KeptCall
    executor: str
    boot_id: str

    @property
    def is_open(self) -> bool:
        return self.call.outcome is None


@structs.define
class _Owner:
    """Who tells the client of a session what."""

    principal: str
    owner: str
    epoch: int
    acked: int = 0
    base: int = 0
    visit: int = 0


@structs.define
class _Lease:
    facts: DaemonFacts
    until: float
    draining: bool


@structs.define(eq=False)
class SharedTables:
    """The database: what all daemons see. `runs` counts the runs that were begun of each call, `is_silent` loses notifications."""

    now: Callable[[], float] = trio.current_time
    is_silent: bool = False
    calls: dict[CallName, _Row] = attrs.field(factory=dict[CallName, _Row])
    sessions: dict[str, _Owner] = attrs.field(factory=dict[str, _Owner])
    daemons: dict[str, _Lease] = attrs.field(factory=dict[str, _Lease])
    listening: dict[str, trio.MemorySendChannel[Heard]] = attrs.field(
        factory=dict[str, trio.MemorySendChannel[Heard]]
    )

    def notify(self, executor: str) -> None:
        self.tell(executor, Heard(is_news=True))

    def tell(self, executor: str, heard: Heard) -> None:
        if not self.is_silent and executor in self.listening:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                self.listening[executor].send_nowait(heard)

    def lives(self, executor: str) -> bool:
        return executor in self.daemons and self.now() < self.daemons[executor].until

    def owns(self, mine: str, session: str, epoch: int) -> bool:
        if epoch == 0:
            return True
        owner = self.sessions.get(session)
        return owner is not None and (owner.owner, owner.epoch) == (mine, epoch)

    def accept(self, mine: DaemonFacts, call: KeptCall, epoch: int) -> None:
        if epoch:
            new = _Owner(principal_of(call.principal), mine.executor, epoch)
            self.sessions.setdefault(call.session, new)
            if not self.owns(mine.executor, call.session, epoch):
                raise SessionMoved("Another daemon has this session; its client is there.")
        self.calls[call.session, call.request] = _Row(call, mine.executor, mine.boot_id)

    def finish(
        self, mine: str, name: CallName, outcome: KeptOutcome, epoch: int, attempt: int
    ) -> FinishedAs:
        row = self.calls.get(name)
        if row is None:
            return "kept"
        owns = self.owns(mine, name[0], epoch)
        told = attrs.evolve(outcome, seq=outcome.seq if owns else UNNUMBERED)
        kept, became = row.call.outcome, "kept" if owns else "untold"
        if kept is not None:
            if kept.frame == told.frame and kept.seq == UNNUMBERED and owns:
                row.call = attrs.evolve(row.call, outcome=attrs.evolve(kept, seq=told.seq))
            counts = kept.frame == told.frame or (row.executor == mine and attempt < 0)
            return became if counts else "stands"
        runs = row.executor == mine and attempt in (-1, row.call.attempts)
        if not (owns if attempt == 0 else runs):
            return "stands"
        former, row.executor = row.executor, mine
        row.call = attrs.evolve(row.call, outcome=told)
        self.notify(self.sessions[name[0]].owner if name[0] in self.sessions else mine)
        self.notify(former)
        return became

    def acknowledge(self, mine: str, acks: Mapping[str, int]) -> None:
        for session, seq in acks.items():
            owner = self.sessions.get(session)
            if owner is not None and owner.owner == mine:
                owner.acked = max(owner.acked, seq)

    def hand_over(self, mine: str, event: HandedOver, epoch: int, attempt: int) -> None:
        row = self.calls.get((event.session, event.request))
        if row is None:
            raise NotKept("The journal does not know this call.")
        facts = attrs.evolve(self.daemons[row.executor].facts, boot_id=row.boot_id)
        runs = attrs.evolve(event.to, attempts=row.call.attempts if attempt == 0 else attempt)
        name = event.session, event.request
        if self.finish(mine, name, event.outcome, epoch, attempt) == "stands":
            raise CallMoved("Another daemon has this call.")
        self.accept(facts, runs, 0)


@structs.frozen(eq=False)
class _Journal(EventJournal):
    """As one daemon writes it, as the owner of a session or in nobody's name."""

    shared: "MemoryShared"
    of: str = ""
    epoch: int = 0

    async def note(self, event: AnyEvent) -> None:
        await self.shared.reach()
        self._apply(event, self.shared.tables, self.shared.facts.executor)
        with trio.CancelScope(shield=True):
            await trio.sleep(self.shared.tells_s)
        if self.shared.loses_answers:
            self.shared.answers_lost += 1
            raise AnswerLost("The database has gone before it said.")

    def _apply(self, event: AnyEvent, tables: SharedTables, mine: str) -> None:
        match event:
            case Accepted(call):
                tables.accept(self.shared.facts, call, self._epoch(call.session))
            case RunAgain(session, request):
                self._run_again(tables.calls.get((session, request)), mine)
            case Finished(session, request, outcome):
                tables.finish(mine, (session, request), outcome, self._epoch(session), -1)
            case HandedOver():
                attempt = event.to.attempts if self.epoch else -1
                tables.hand_over(mine, event, self._epoch(event.session), attempt)
            case Acknowledged(acks, _):
                tables.acknowledge(mine, acks)
            case NumberedFrom(session, base):
                if self._epoch(session) and tables.owns(mine, session, self.epoch):
                    tables.sessions[session].base = base

    def _epoch(self, session: str) -> int:
        return self.epoch if session == self.of else 0

    @staticmethod
    def _run_again(row: _Row | None, mine: str) -> None:
        if row is None:
            raise NotKept("The journal does not know this call.")
        if row.executor != mine or not row.is_open:
            raise CallMoved("Another daemon has this call.")
        row.call = attrs.evolve(row.call, attempts=row.call.attempts + 1)

    async def names(self, principal: str) -> tuple[Name, ...]:
        await self.shared.reach()
        rows = self.shared.tables.calls.items()
        return tuple(n for n, row in rows if principal_of(row.call.principal) == principal)

    async def unfinished(self) -> tuple[str, ...]:
        await self.shared.reach()
        rows = self.shared.tables.calls.items()
        return tuple(sorted({name for (name, _), row in rows if row.is_open}))

    async def session(self, session: str) -> KeptSession | None:
        await self.shared.reach()
        await trio.sleep(self.shared.reads_s)
        tables = self.shared.tables
        calls = [_as_told(row.call) for (n, _), row in tables.calls.items() if n == session]
        owner = tables.sessions.get(session) or _Owner("", "", 0)
        if not calls:
            return None
        return KeptSession(calls=tuple(calls), acked=owner.acked, base=owner.base)

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        await self.shared.reach()
        return 0

    async def retire(self) -> None:
        await trio.lowlevel.checkpoint()


def _as_told(call: KeptCall) -> KeptCall:
    untold = call.outcome is not None and call.outcome.seq == UNNUMBERED
    return attrs.evolve(call, outcome=None) if untold else call


@structs.define(eq=False)
class MemoryShared(SharedCalls):
    """The way of one daemon to them; while it `is_away` nothing comes through. To read a session takes it `reads_s`, to take one
    `takes_s`, whoever waits for that; that an event was written is heard `tells_s` later, or never while it
    `loses_answers`."""

    tables: SharedTables
    facts: DaemonFacts
    is_away: bool = False
    reads_s: float = 0.0
    takes_s: float = 0.0
    tells_s: float = 0.0
    loses_answers: bool = False
    answers_lost: int = 0

    async def reach(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise StorageError("The database is away.")

    async def renew(self, facts: DaemonFacts, *, is_first: bool, draining: bool) -> Renewed:
        await self.reach()
        tables, mine = self.tables, facts.executor
        others = [one for one in tables.daemons.values() if one.facts.executor != mine]
        if any(one.facts.name == facts.name and tables.now() < one.until for one in others):
            return "taken"
        known = tables.daemons.get(mine)
        if not is_first and known is not None and known.facts.boot_id != facts.boot_id:
            return "replaced"
        tables.daemons[mine] = _Lease(facts, tables.now() + LEASE_S, draining)
        return "held"

    async def release(self, facts: DaemonFacts) -> None:
        await self.reach()
        known = self.tables.daemons.get(facts.executor)
        if known is not None and known.facts.boot_id == facts.boot_id:
            known.until, known.draining = self.tables.now(), True

    async def claim(
        self, facts: DaemonFacts, *, others: bool, anew: bool, most: int
    ) -> tuple[KeptCall, ...]:
        await self.reach()
        tables, mine = self.tables, facts.executor
        claimed: list[KeptCall] = []
        for row in tables.calls.values() if tables.lives(mine) else ():
            ours = row.executor == mine and (anew or row.boot_id != facts.boot_id)
            theirs = others and row.executor != mine and not tables.lives(row.executor)
            if row.is_open and (ours or theirs) and len(claimed) < most:
                row.executor, row.boot_id = mine, facts.boot_id
                claimed.append(row.call)
        return tuple(claimed)

    async def take(
        self, facts: DaemonFacts, principal: str, session: str, held: int, visit: int
    ) -> int:
        await self.reach()
        with trio.CancelScope(shield=True):
            await trio.sleep(self.takes_s)
        known = self.tables.sessions.get(session)
        if known is None or known.principal != principal:
            return 0
        if 0 < visit < known.visit:
            raise SessionMoved("The client has come to another daemon since.")
        known.visit = max(known.visit, visit)
        if (known.owner, known.epoch) == (facts.executor, held):
            return held
        former, known.owner, known.epoch = known.owner, facts.executor, known.epoch + 1
        self.tables.notify(former)
        return known.epoch

    async def compare(
        self,
        facts: DaemonFacts,
        held: Mapping[str, int],
        running: Sequence[tuple[str, str, str]],
        waiting: Sequence[CallName],
    ) -> Compared:
        await self.reach()
        tables, mine = self.tables, facts.executor

        def is_ours(name: CallName) -> bool:
            row = tables.calls.get(name)
            return row is not None and row.is_open and row.executor == mine

        return Compared(
            superseded=[
                name
                for name, epoch in held.items()
                if name in tables.sessions and not tables.owns(mine, name, epoch)
            ],
            lost=[
                (name, request)
                for name, request, handle in running
                if (name, request) in tables.calls
                and not (is_ours((name, request)) or is_ours((handle, request)))
            ],
            stored={name: frame for name in waiting if (frame := self._stored(name)) != ""},
        )

    def _stored(self, name: CallName) -> str | None:
        """The outcome; "" if there is none yet."""
        row = self.tables.calls.get(name)
        if row is None:
            return None
        return "" if row.call.outcome is None else row.call.outcome.frame

    async def finish(
        self, name: CallName, outcome: KeptOutcome, *, epoch: int, attempt: int
    ) -> FinishedAs:
        await self.reach()
        return self.tables.finish(self.facts.executor, name, outcome, epoch, attempt)

    def journal_of(self, session: str, epoch: int) -> EventJournal:
        return _Journal(self, session, epoch)

    @asynccontextmanager
    async def listening(self, facts: DaemonFacts) -> AsyncGenerator[Callable[[], Awaitable[Heard]]]:
        await self.reach()
        telling, hearing = trio.open_memory_channel[Heard](math.inf)
        self.tables.listening[facts.executor] = telling
        with telling, hearing:
            yield hearing.receive

    async def say(self, facts: DaemonFacts, said: Sequence[Said]) -> None:
        await trio.lowlevel.checkpoint()
        for one in said:
            known = self.tables.sessions.get(one.name[0])
            others = known is not None and known.owner not in ("", facts.executor)
            if others and self.tables.lives(known.owner) and len(one.frame) < _LONGEST:
                self.tables.tell(known.owner, Heard(is_news=False, said=(one,)))

    async def daemons(self) -> tuple[KnownDaemon, ...]:
        await self.reach()
        return tuple(map(self._known, self.tables.daemons.values()))

    def _known(self, lease: _Lease) -> KnownDaemon:
        tables, mine = self.tables, lease.facts.executor
        runs: list[Any] = [r for r in tables.calls.values() if r.is_open and r.executor == mine]
        owned = [one for one in tables.sessions.values() if one.owner == mine]
        return KnownDaemon(
            facts=lease.facts,
            draining=lease.draining,
            lease_s=lease.until - tables.now(),
            running=len(runs),
            owned=len(owned),
        )
