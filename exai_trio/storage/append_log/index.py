"""What stands in the log and is not in the database yet: where, and of which calls. Pure: no trio, no clock, no I/O.

A call whose outcome was acknowledged before that was folded need not be in the database: it is `over`, and what is there of it
goes. Not one that a handle may ask for: its client gives handles, or nobody remembers whether it does since its acceptance is
not in the log any more, and it has not said that it told none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

import attrs
import msgspec

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


class Logged(msgspec.Struct, eq=False, gc=False):
    # Made in half of the time, and nothing that the garbage collector looks at: a new daemon may make 100,000.
    """A call of which something is in the log; nothing that matters, if it has no places. `may_be_over`: its acceptance is, and no
    handle asks for it. `seq` is its outcome's."""

    session: str
    request: str
    may_be_over: bool
    places: tuple[Place, ...] = ()
    seq: int = 0
    is_finished: bool = False


@structs.define(eq=False)
class _Records:
    """What stands in one segment: a call for each record of one, and where which sessions are numbered."""

    calls: list[Logged] = attrs.field(factory=list[Logged])
    numbers: dict[Place, tuple[str, ...]] = attrs.field(factory=dict[Place, tuple[str, ...]])


@structs.define(eq=False)
class Index:
    """Follows the log event by event, in the order in which they were written. `over` names calls that the database may have;
    `_numbers` are acknowledgements and beginnings of numbers, by the sessions that they name."""

    sessions: dict[str, dict[str, Logged]] = attrs.field(factory=dict[str, dict[str, Logged]])
    over: list[Name] = attrs.field(factory=list[Name])
    _numbers: dict[str, list[Place]] = attrs.field(factory=dict[str, list[Place]])
    _segments: defaultdict[int, _Records] = attrs.field(
        factory=lambda: defaultdict[int, _Records](_Records)
    )

    def note(self, event: AnyEvent, place: Place) -> None:
        # Nearly all are of these two, and a new daemon may have 200,000 to read: a match takes longer.
        if isinstance(event, Accepted):
            self._begin(event.call, place, may_be_over=not event.call.lasting)
        elif isinstance(event, Finished):
            self._finish(event.session, event.request, event.outcome.seq, place)
        else:
            self._note_other(event, place)

    def _note_other(self, event: AnyEvent, place: Place) -> None:
        match event:
            case RunAgain(session, request):
                self._add(self._known(session, request), place)
            case HandedOver(session, request, outcome, to):
                self._finish(session, request, outcome.seq, place)
                self._begin(to, place, may_be_over=False)
            case Acknowledged(acks, sure):
                self._acknowledge(acks, sure)
                self._number(tuple(acks), place)
            case NumberedFrom(session):
                self._number((session,), place)
            case Accepted() | Finished():
                pass

    def knows(self, session: str, request: str) -> bool:
        """Whether something of this call is in the log."""
        return request in self.sessions.get(session, {})

    def mentions(self, session: str) -> bool:
        """Whether the database does not know yet all that was written of this session."""
        return session in self.sessions or session in self._numbers

    def over_in(self, session: str) -> set[str]:
        """The calls of this session that the database is still to forget."""
        return {request for name, request in self.over if name == session}

    def of(self, session: str) -> list[Place]:
        """Where the records stand that concern this session, in order."""
        calls = self.sessions.get(session, {}).values()
        places = chain(self._numbers.get(session, ()), *(call.places for call in calls))
        return sorted(set(places))

    def unfinished(self, there: Iterable[Name]) -> tuple[str, ...]:
        """The sessions with calls that have no outcome; the database has such calls `there`, as far as it knows."""
        over = set(self.over)
        found = {name[0] for name in there if name not in over and not self._has_ended(*name)}
        for session, calls in self.sessions.items():
            if not all(call.is_finished for call in calls.values()):
                found.add(session)
        return tuple(sorted(found))

    def _has_ended(self, session: str, request: str) -> bool:
        call = self.sessions.get(session, {}).get(request)
        return call is not None and call.is_finished

    def _known(self, session: str, request: str) -> Logged:
        calls = self.sessions.setdefault(session, {})
        known = calls.get(request)
        if known is None:
            known = calls[request] = Logged(session, request, may_be_over=False)
        return known

    def _add(self, call: Logged, place: Place) -> None:
        call.places += (place,)
        self._segments[place[0]].calls.append(call)

    def _begin(self, call: KeptCall, place: Place, *, may_be_over: bool) -> None:
        session, request = call.session, call.request
        calls = self.sessions.setdefault(session, {})
        if request in calls:  # an older one of this id
            calls[request].places = ()
        begun = calls[request] = Logged(session, request, may_be_over, (place,))
        self._segments[place[0]].calls.append(begun)

    def _finish(self, session: str, request: str, seq: int, place: Place) -> None:
        """The first outcome counts."""
        call = self._known(session, request)
        if not call.is_finished:
            self._add(call, place)
            call.seq, call.is_finished = seq, True

    def _number(self, sessions: tuple[str, ...], place: Place) -> None:
        self._segments[place[0]].numbers[place] = sessions
        for session in sessions:
            self._numbers.setdefault(session, []).append(place)

    def _acknowledge(self, acks: Mapping[str, int], sure: Mapping[str, NoHandles]) -> None:
        for session, acked in acks.items():
            calls, told = self.sessions.get(session, {}), sure.get(session)
            ended = [call for call in calls.values() if 0 < call.seq <= acked]
            for call in ended:
                if call.may_be_over or (told is not None and told.covers(call.request, call.seq)):
                    self.over.append((session, call.request))
                    self._drop(call)

    def _drop(self, call: Logged) -> None:
        call.places = ()
        calls = self.sessions[call.session]
        del calls[call.request]
        if not calls:
            del self.sessions[call.session]

    def due(self, segment: int) -> list[Place]:
        """Where the records stand that are to be folded, in order, of this segment."""
        records = self._segments.get(segment, _Records())
        calls = (place for call in records.calls for place in call.places if place[0] == segment)
        return sorted({*records.numbers, *calls})

    def forget(self, segment: int, over: int) -> None:
        """This segment, the oldest, is folded, and so many of the calls that were over are left out."""
        del self.over[:over]
        records = self._segments.pop(segment, _Records())
        for call in records.calls:
            if call.places:
                call.places = tuple(place for place in call.places if place[0] > segment)
                if not call.places:
                    self._drop(call)
        for session in {name for names in records.numbers.values() for name in names}:
            later = [place for place in self._numbers.pop(session) if place[0] > segment]
            if later:
                self._numbers[session] = later
