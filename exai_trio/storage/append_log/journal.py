"""The journal as a log of events before a database: noted in one write, folded behind it, read in the database alone.

Whoever asks for what is in the log has it folded first. What is over by the time of folding is left out (`index`). The log of
an earlier life is read when the database says what of it is folded already; until then nothing is noted.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.event_journal import Backing, EventJournal, Place
from exai_trio.storage.journal import KeptCall, KeptOutcome, KeptSession
from exai_trio.storage.journal_events import (
    Accepted,
    AnyEvent,
    HandedOver,
    decode,
    encode,
    skim,
)
from exai_trio.storage.sqlite.error_kinds import NotKept
from exai_trio.system import garbage_collector

from .appender import Appender, Thread
from .index import Index
from .merging import merged
from .segments import Segments

log = logging.getLogger("exai.storage")

# Over so many bytes, which a successor reads in a second, no new call is taken: the database does not keep up.
LONGEST_LOG: Final = 256 * 2**20
_ROOM_S: Final = 8.0  # a call waits so long for the database to take what the log holds


@structs.define(eq=False)
class LoggedJournal(EventJournal):
    """A Journal over an open log; unusable after the log's block."""

    backing: Backing
    appender: Appender
    _thread: Thread
    _index: Index | None = None
    # What was sealed two looks ago, and at the last one: when a segment is folded most of its calls are acknowledged.
    _sealed: tuple[int, int] = (0, 0)
    _left_out: int = 0  # so many calls that are over are not in the fold that was begun last
    _retired: bool = False
    _one: trio.Lock = attrs.field(factory=trio.Lock)  # reads the log, or folds it

    async def accept(self, call: KeptCall) -> None:
        self.appender.reserve.check_unspent()
        if self.appender.segments.length > LONGEST_LOG:
            await self._make_room()
        if self.appender.segments.length > LONGEST_LOG:
            raise StorageError(
                "The disk does not keep up with the log of calls; try again.",
                # audit: duration, because it is a hint to the client, who decides
                retry_after_s=10.0,
            )
        await self.note(Accepted(call))

    async def _make_room(self) -> None:
        """Whoever comes while the log is too long waits until it is shorter, or for so long as that may take."""
        await self.load()
        with trio.move_on_after(_ROOM_S):
            last = await self._thread.write(Segments.roll)
            while self.appender.segments.length > LONGEST_LOG and await self._fold_one(last):
                pass

    async def hand_over(
        self, session: str, request: str, outcome: KeptOutcome, to: KeptCall
    ) -> None:
        await self._check_kept(session, request)
        await self.note(HandedOver(session, request, outcome, to))

    async def _check_kept(self, session: str, request: str) -> None:
        """Raises NotKept if there is no such call, neither in the log nor in the database."""
        index = self._index or await self.load()
        in_log = index.knows(session, request)
        if not in_log and not await self.backing.has(session, request):
            raise NotKept("The journal does not know this call.")

    async def note(self, event: AnyEvent) -> None:
        if self._retired:
            await self.fold()
            await self.backing.note(event)
            return
        index = self._index or await self.load()
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.note_at_once(event):
            body = encode(event)
            await self._thread.write(
                lambda segments: segments.append(body),
                done=partial(index.note, event),
            )

    def note_at_once(self, event: AnyEvent) -> bool:
        index = self._index
        if index is None or self._retired or not self._thread.is_idle:
            return False
        place = self.appender.append_at_once(encode(event))
        if place is not None:
            index.note(event, place)
        return place is not None

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        await self.fold()
        return await self.backing.names(principal)

    async def unfinished(self) -> tuple[str, ...]:
        index = self._index or await self.load()
        async with self._one:
            return index.unfinished(await self.backing.open_calls())

    async def session(self, session: str) -> KeptSession | None:
        index = self._index or await self.load()
        if not index.mentions(session) and not index.over:
            return await self.backing.session(session)
        async with self._one:  # else what is folded meanwhile would be seen twice, or not at all
            kept, places = await self.backing.session(session), index.of(session)
            events = await self._thread.write(partial(_read_events, places)) if places else ()
            over = index.over_in(session) if kept else ()
            return merged(session, kept, over, events)

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        return await self.fold() + await self.backing.sweep_calls(now, unnumbered_s)

    async def load(self) -> Index:
        """Read the log of an earlier life, once. Raises StorageError."""
        async with self._one:
            if self._index is None:
                folded = await self.backing.folded()
                self._index = await self._thread.write(partial(_read, folded=folded))
            return self._index

    async def fold(self) -> int:
        """Have all that was noted in the database. Returns how many calls were over, and are nowhere any more. Raises StorageError;
        cancelling loses nothing."""
        index = await self.load()
        over = len(index.over)
        await self._fold_through(await self._thread.write(Segments.roll))
        return over

    async def tidy(self) -> None:
        """To be called each second: seal a long segment, fold those that were sealed two calls ago. Raises StorageError.
        Cancelling loses nothing; what is not folded yet is at the next call."""
        await self.load()
        due, _ = self._sealed
        segments = self.appender.segments
        if segments.is_due:
            await self._thread.write(Segments.roll)
        self._sealed = self._sealed[1], max(segments.sealed, default=0)
        await self._fold_through(due)

    async def _fold_through(self, last: int) -> None:
        while await self._fold_one(last):
            pass

    async def _fold_one(self, last: int) -> bool:
        """Fold the oldest segment, if it is none after `last`: others may write, and read, between two. False if there is none.

        Cancelled, the database may have it or not; the next one asks, and ends what this one has begun."""
        async with self._one:
            index, segments = self._index or Index(), self.appender.segments
            oldest = min(segments.sealed, default=last + 1)
            if oldest > last:
                return False
            if await self.backing.folded() < oldest:
                places, self._left_out = index.due(oldest), len(index.over)
                over, events = index.over[: self._left_out], partial(_events, segments, places)
                await self.backing.fold(oldest, over, events)
            index.forget(oldest, self._left_out)
            self._left_out = 0
            await self._thread.write(lambda segments: segments.remove(oldest))
            return True

    async def recover(self) -> None:
        """See whether a log that could not be written can be, and is still there; what stands in removed files is saved. Raises
        StorageError; then the next look sees the same."""
        removed = self.appender.segments.is_any_removed
        if self._index is None or removed or self.appender.fault is not None:
            await self.load()
            await self._thread.write(Segments.writable)
        if removed:
            await self.fold()

    async def retire(self) -> None:
        """Another daemon is about to take over the log: all is in the database, and what is noted from now on is written there.
        Raises StorageError; then it is so with the next event."""
        self._retired = True
        await self.fold()


def _read(segments: Segments, folded: int) -> Index:
    segments.find(folded)
    index = Index()
    with garbage_collector.resting():
        for place, body in segments.records():
            try:
                index.note(skim(body), place)
            except msgspec.MsgspecError:
                log.exception("record of the call log not understood", extra={"segment": place[0]})
    segments.writable()
    return index


def _read_events(places: Sequence[Place], segments: Segments) -> list[AnyEvent]:
    return [event for _, event in _events(segments, places)]


def _events(segments: Segments, places: Sequence[Place]) -> Iterable[tuple[Place, AnyEvent]]:
    """A record that the disk gives back broken costs its call only."""
    for place, body in segments.bodies(places):
        try:
            yield place, decode(body or b"")
        except msgspec.MsgspecError:
            log.exception("record of the call log lost", extra={"segment": place[0]})
