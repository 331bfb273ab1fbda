"""A session of which the database has the beginning and the log the rest, put together. Pure: no trio, no clock, no I/O."""

from collections.abc import Collection, Iterable

import attrs

from exai_trio import structs
from exai_trio.storage.journal import KeptCall, KeptOutcome, KeptSession, NoHandles
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)


def merged(
    name: str, kept: KeptSession | None, over: Collection[str], events: Iterable[AnyEvent]
) -> KeptSession | None:
    """What is kept of this session once `events` are in the database, which has `kept` and is to forget the calls that are over."""
    kept = kept or KeptSession(calls=())
    calls = {call.request: call for call in kept.calls if call.request not in over}
    session = _Session(name, calls, kept.acked if calls else 0, kept.base)
    for event in events:
        session.apply(event)
    return session.kept()


@structs.define(eq=False)
class _Session:
    name: str
    calls: dict[str, KeptCall]
    acked: int
    base: int

    def apply(self, event: AnyEvent) -> None:
        """What of it concerns this session."""
        match event:
            case Accepted(call):
                self._begin(call)
            case RunAgain(self.name, request) if request in self.calls:
                call = self.calls[request]
                self.calls[request] = attrs.evolve(call, attempts=call.attempts + 1)
            case Finished(self.name, request, outcome):
                self._finish(request, outcome)
            case HandedOver(session, request, outcome, to):
                if session == self.name:
                    self._finish(request, outcome)
                self._begin(to)
            case Acknowledged(acks, sure) if self.calls and self.name in acks:
                self._acknowledge(acks[self.name], sure.get(self.name))
            case NumberedFrom(self.name, base):
                self.base = base
            case _:
                pass

    def _begin(self, call: KeptCall) -> None:
        if call.session == self.name:
            self.calls.pop(call.request, None)  # a new call is the newest
            self.calls[call.request] = call

    def _finish(self, request: str, outcome: KeptOutcome) -> None:
        """The first one counts; of a call that is over it is nothing."""
        call = self.calls.get(request)
        if call is not None and call.outcome is None:
            self.calls[request] = attrs.evolve(call, outcome=outcome)

    def _acknowledge(self, acked: int, sure: NoHandles | None) -> None:
        self.acked = max(self.acked, acked)
        for request, call in self.calls.items():
            seq = call.outcome.seq if call.outcome else 0
            if sure and 0 < seq <= acked and sure.covers(request, seq):
                self.calls[request] = attrs.evolve(call, lasting=False)

    def kept(self) -> KeptSession | None:
        calls = tuple(self.calls.values())
        return KeptSession(calls=calls, acked=self.acked, base=self.base) if calls else None
