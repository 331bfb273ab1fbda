"""What stands in the log and is not in the database yet: where, and of which calls. Pure: no trio, no clock, no I/O.

A call whose outcome was acknowledged before that was folded need not be in the database: it is `over`, and what is there of it
goes. Not one that a handle may ask for: its client gives handles, or nobody remembers whether it does since its acceptance is
not in the log any more, and it has not said that it told none.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

import attrs

from exai_trio import structs
from exai_trio.storage.event_journal import Name, Place
from exai_trio.storage.journal import KeptCall, NoHandles
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)


@structs.define(eq=False)
class Logged:
    """A call of which something is in the log. `may_be_over`: its acceptance is, and no handle asks for it. `seq` is its outcome's."""

    may_be_over: bool
    places: list[Place]
    seq: int = 0
    is_finished: bool = False


@structs.define(eq=False)
class Index:
    """Follows the log event by event, in the order in which they were written."""

    sessions: dict[str, dict[str, Logged]] = attrs.field(factory=dict[str, dict[str, Logged]])
    over: list[Name] = attrs.field(factory=list[Name])
    _numbers: list[Place] = attrs.field(factory=list[Place])  # acknowledgements and beginnings
    _numbered: set[str] = attrs.field(factory=set[str])  # the sessions that those name

    def note(self, event: AnyEvent, place: Place) -> None:
        match event:
            case Accepted(call):
                self._begin(call, Logged(may_be_over=not call.lasting, places=[place]))
            case Finished(session, request, outcome):
                self._finish((session, request), outcome.seq, place)
            case RunAgain(session, request):
                self._known(session, request).places.append(place)
            case HandedOver(session, request, outcome, to):
                self._finish((session, request), outcome.seq, place)
                self._begin(to, Logged(may_be_over=False, places=[place]))
            case Acknowledged(acks, sure):
                self._acknowledge(acks, sure)
                self._number(acks, place)
            case NumberedFrom(session):
                self._number((session,), place)

    def knows(self, session: str, request: str) -> bool:
        """Whether something of this call is in the log."""
        return request in self.sessions.get(session, {})

    def mentions(self, session: str) -> bool:
        """Whether the database does not know yet all that was written of this session."""
        return session in self.sessions or session in self._numbered

    def _known(self, session: str, request: str) -> Logged:
        calls = self.sessions.setdefault(session, {})
        return calls.setdefault(request, Logged(may_be_over=False, places=[]))

    def _begin(self, call: KeptCall, logged: Logged) -> None:
        self.sessions.setdefault(call.session, {})[call.request] = logged

    def _finish(self, name: Name, seq: int, place: Place) -> None:
        """The first outcome counts."""
        call = self._known(*name)
        if not call.is_finished:
            call.places.append(place)
            call.seq, call.is_finished = seq, True

    def _number(self, sessions: Iterable[str], place: Place) -> None:
        self._numbers.append(place)
        self._numbered.update(sessions)

    def _acknowledge(self, acks: Mapping[str, int], sure: Mapping[str, NoHandles]) -> None:
        for session, acked in acks.items():
            calls, told = self.sessions.get(session, {}), sure.get(session)
            ended = [(name, call) for name, call in calls.items() if 0 < call.seq <= acked]
            for request, call in ended:
                if call.may_be_over or (told is not None and told.covers(request, call.seq)):
                    self.over.append((session, request))
                    self._drop(session, request)

    def _drop(self, session: str, request: str) -> None:
        calls = self.sessions[session]
        del calls[request]
        if not calls:
            del self.sessions[session]

    def due(self, last: int) -> list[Place]:
        """Where the records stand that are to be folded, in order, of the segments up to this one."""
        places = chain(self._numbers, *(call.places for call in self._calls()))
        return sorted({place for place in places if place[0] <= last})

    def forget(self, last: int, over: int) -> None:
        """The segments up to this one are folded, and so many of those that were over are left out."""
        del self.over[:over]
        self._numbers = [place for place in self._numbers if place[0] > last]
        if not self._numbers:
            self._numbered.clear()
        for session, calls in list(self.sessions.items()):
            for request, call in list(calls.items()):
                call.places = [place for place in call.places if place[0] > last]
                if not call.places:
                    self._drop(session, request)

    def _calls(self) -> Iterable[Logged]:
        return (call for calls in self.sessions.values() for call in calls.values())
