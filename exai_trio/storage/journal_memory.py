"""The journal in two dicts: for tests and for the simulation, held by the same contract tests. Nothing survives it."""

from collections.abc import Mapping

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.faults import NotKept
from exai_trio.storage.journal import KEPT_S, KeptCall, KeptOutcome, KeptSession


@structs.define
class MemoryJournal:
    """A Journal that lives as long as its owner keeps it."""

    _calls: dict[tuple[str, str], KeptCall] = attrs.field(factory=dict[tuple[str, str], KeptCall])
    _acks: dict[str, int] = attrs.field(factory=dict[str, int])
    _bases: dict[str, int] = attrs.field(factory=dict[str, int])

    async def accept(self, call: KeptCall) -> None:
        await trio.lowlevel.checkpoint()
        self._calls.pop((call.session, call.request), None)  # a new call is the newest
        self._calls[call.session, call.request] = attrs.evolve(call, outcome=None)

    async def run_again(self, session: str, request: str) -> None:
        await trio.lowlevel.checkpoint()
        call = self._kept(session, request)
        self._calls[session, request] = attrs.evolve(call, attempts=call.attempts + 1)

    async def finish(self, session: str, request: str, outcome: KeptOutcome) -> None:
        await trio.lowlevel.checkpoint()
        call = self._kept(session, request)
        if call.outcome is None:
            self._calls[session, request] = attrs.evolve(call, outcome=outcome)

    async def hand_over(
        self, session: str, request: str, outcome: KeptOutcome, to: KeptCall
    ) -> None:
        call = self._kept(session, request)  # no checkpoint before: what follows finds the new call
        if call.outcome is None:
            self._calls[session, request] = attrs.evolve(call, outcome=outcome)
        self._calls[to.session, to.request] = attrs.evolve(to, outcome=None)
        await trio.lowlevel.checkpoint()

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        await trio.lowlevel.checkpoint()
        return tuple(name for name, call in self._calls.items() if call.principal == principal)

    def _kept(self, session: str, request: str) -> KeptCall:
        call = self._calls.get((session, request))
        if call is None:
            raise NotKept("The journal does not know this call.")
        return call

    async def acknowledge(self, acks: Mapping[str, int]) -> None:
        await trio.lowlevel.checkpoint()
        known = {session for session, _ in self._calls}
        for session, seq in ((one, seq) for one, seq in acks.items() if one in known):
            self._acks[session] = max(seq, self._acks.get(session, 0))

    async def number_from(self, session: str, base: int) -> None:
        await trio.lowlevel.checkpoint()
        self._bases[session] = base

    async def unfinished(self) -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        found = {call.session: None for call in self._calls.values() if call.outcome is None}
        return tuple(sorted(found))

    async def session(self, session: str) -> KeptSession | None:
        await trio.lowlevel.checkpoint()
        calls = tuple(call for call in self._calls.values() if call.session == session)
        if not calls:
            return None
        acked, base = self._acks.get(session, 0), self._bases.get(session, 0)
        return KeptSession(calls=calls, acked=acked, base=base)

    async def sweep_calls(self, now: float, unnumbered_s: float) -> int:
        await trio.lowlevel.checkpoint()
        gone = [key for key, call in self._calls.items() if self._is_over(call, now, unnumbered_s)]
        for key in gone:
            del self._calls[key]
        left = {session for session, _ in self._calls}
        self._acks = {session: seq for session, seq in self._acks.items() if session in left}
        self._bases = {session: base for session, base in self._bases.items() if session in left}
        return len(gone)

    def _is_over(self, call: KeptCall, now: float, unnumbered_s: float) -> bool:
        outcome = call.outcome
        if outcome is None:
            return False
        if outcome.seq == 0:
            return outcome.at <= now - unnumbered_s
        acked = outcome.seq <= self._acks.get(call.session, 0) and not call.lasting
        return acked or outcome.at <= now - KEPT_S
