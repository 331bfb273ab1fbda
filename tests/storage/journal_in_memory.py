"""The journal in two dicts: for tests and for the simulation, held by the same contract tests.

Nothing survives it.
"""

from collections.abc import Mapping, Sequence

import attrs
import trio

from exai_trio import structs
from exai_trio.principals import names_of
from exai_trio.storage.base import SWEEP_GRACE_S
from exai_trio.storage.event_journal import EventJournal, Events, Name
from exai_trio.storage.journal import KEPT_S, KeptCall, KeptOutcome, KeptSession, NoHandles
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)
from exai_trio.storage.sqlite.error_kinds import NotKept


@structs.define
class MemoryJournal(EventJournal):
    """A Journal that lives as long as its owner keeps it."""

    _calls: dict[tuple[str, str], KeptCall] = attrs.field(factory=dict[tuple[str, str], KeptCall])
    _acks: dict[str, int] = attrs.field(factory=dict[str, int])
    _bases: dict[str, int] = attrs.field(factory=dict[str, int])
    _marks: dict[tuple[str, str], float] = attrs.field(factory=dict[tuple[str, str], float])

    _folded: int = 0

    async def note(self, event: AnyEvent) -> None:
        self._apply(event)  # no checkpoint before: what follows finds the new call
        await trio.lowlevel.checkpoint()

    def _apply(self, event: AnyEvent) -> None:
        match event:
            case Accepted(call):
                self._begin(call)
            case RunAgain(session, request):
                call = self._kept(session, request)
                self._calls[session, request] = attrs.evolve(call, attempts=call.attempts + 1)
            case Finished(session, request, outcome) if (session, request) in self._calls:
                self._finish(session, request, outcome)
            case HandedOver(session, request, outcome, to):
                self._finish(session, request, outcome)
                self._begin(to)
            case Acknowledged(acks, sure):
                self._acknowledge(acks, sure)
            case NumberedFrom(session, base):
                self._bases[session] = base
            case Finished():
                pass

    def _begin(self, call: KeptCall) -> None:
        self._calls.pop((call.session, call.request), None)  # a new call is the newest
        self._calls[call.session, call.request] = attrs.evolve(call, outcome=None)

    def _finish(self, session: str, request: str, outcome: KeptOutcome) -> None:
        call = self._kept(session, request)
        if call.outcome is None:
            self._calls[session, request] = attrs.evolve(call, outcome=outcome)

    def _acknowledge(self, acks: Mapping[str, int], sure: Mapping[str, NoHandles]) -> None:
        known = {session for session, _ in self._calls}
        for session, seq in ((one, seq) for one, seq in acks.items() if one in known):
            self._acks[session] = max(seq, self._acks.get(session, 0))
        for (session, request), call in self._calls.items():
            told, seq = sure.get(session), call.outcome.seq if call.outcome else 0
            if told and 0 < seq <= acks[session] and told.covers(request, seq):
                self._calls[session, request] = attrs.evolve(call, lasting=False)

    def _kept(self, session: str, request: str) -> KeptCall:
        call = self._calls.get((session, request))
        if call is None:
            raise NotKept("The journal does not know this call.")
        return call

    async def has(self, session: str, request: str) -> bool:
        await trio.lowlevel.checkpoint()
        return (session, request) in self._calls

    async def folded(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._folded

    async def fold(self, last: int, over: Sequence[Name], events: Events) -> None:
        for name in over if last > self._folded else ():
            self._calls.pop(name, None)
        for (segment, _), event in events():
            if segment > self._folded:
                self._apply_late(event)
        self._folded = max(last, self._folded)
        await trio.lowlevel.checkpoint()

    def _apply_late(self, event: AnyEvent) -> None:
        """A call that is not there was over."""
        try:
            self._apply(event)
        except NotKept:
            if isinstance(event, HandedOver):
                self._begin(event.to)

    async def retire(self) -> None:
        await trio.lowlevel.checkpoint()

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        await trio.lowlevel.checkpoint()
        names = names_of(principal)
        return tuple(name for name, call in self._calls.items() if call.principal in names)

    async def unfinished(self) -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(sorted({session for session, _ in await self.open_calls()}))

    async def open_calls(self) -> tuple[Name, ...]:
        return tuple(name for name, call in self._calls.items() if call.outcome is None)

    async def session(self, session: str) -> KeptSession | None:
        await trio.lowlevel.checkpoint()
        calls = tuple(call for call in self._calls.values() if call.session == session)
        if not calls:
            return None
        acked, base = self._acks.get(session, 0), self._bases.get(session, 0)
        return KeptSession(calls=calls, acked=acked, base=base)

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        await trio.lowlevel.checkpoint()
        if now is not None:
            old = [key for key, call in self._calls.items() if _is_old(call, now, unnumbered_s)]
            marks = {key: at for key, at in self._marks.items() if key in old and at <= now}
            self._marks = {key: marks.get(key, now) for key in old}
        gone = [key for key in self._calls if self._is_over(key, now, unnumbered_s)]
        for key in gone:
            del self._calls[key]
            self._marks.pop(key, None)
        left = {session for session, _ in self._calls}
        self._acks = {session: seq for session, seq in self._acks.items() if session in left}
        self._bases = {session: base for session, base in self._bases.items() if session in left}
        return len(gone)

    def _is_over(self, key: tuple[str, str], now: float | None, unnumbered_s: float) -> bool:
        call = self._calls[key]
        if call.outcome is None:
            return False
        if 0 < call.outcome.seq <= self._acks.get(call.session, 0) and not call.lasting:
            return True
        grace = SWEEP_GRACE_S if call.outcome.seq else unnumbered_s
        return now is not None and self._marks.get(key, now) <= now - grace


def _is_old(call: KeptCall, now: float, unnumbered_s: float) -> bool:
    kept_s = KEPT_S if call.outcome and call.outcome.seq else unnumbered_s
    return call.outcome is not None and call.outcome.at <= now - kept_s
