"""Bugs to be planted in the log of calls: what is written is not there, or is there twice, or was never written."""

from contextlib import AbstractContextManager

from exai_trio.storage.append_log import journal, segments
from exai_trio.storage.append_log.framing import HEAD_BYTES, body_at, end_of, length_of
from exai_trio.storage.append_log.journal import LoggedJournal

from .disk import Database
from .planting import instead, together


def record_that_is_not_written() -> AbstractContextManager[None]:
    """The log takes what it has noted for written."""

    def made(_original):
        async def note(self, event):
            index = self._index or await self.load()
            index.note(event, (self.appender.segments.newest, 0))

        return note

    return instead(LoggedJournal, "note", made)


def segment_removed_before_it_is_folded() -> AbstractContextManager[None]:
    """A kill between the two leaves it nowhere."""

    def made(_original):
        async def fold_through(self, last):
            index, log = self._index, self.appender.segments
            if not any(number <= last for number in log.sealed):
                return 0
            over = len(index.over)
            events = list(journal._events(log, index.due(last)))
            await self._thread.write(lambda log: log.remove(last))
            await self.backing.fold(last, index.over[:over], lambda: events)
            index.forget(last, over)
            return over

        return fold_through

    return instead(LoggedJournal, "_fold_through", made)


def segment_folded_twice() -> AbstractContextManager[None]:
    """What a kill left of a segment that is in the database already goes there once more."""

    def folded(_original):
        async def none(self):
            return await super(Database, self).folded() and 0

        return none

    def fold(original):
        async def again(self, last, over, events):
            self._folded = 0
            await original(self, last, over, events)

        return again

    return together(instead(Database, "folded", folded), instead(Database, "fold", fold))


def torn_record_believed() -> AbstractContextManager[None]:
    """One of which the end is missing is a record."""

    def made(_original):
        def believed(segment, place, content, begins=0):
            head = content[place - begins :][:HEAD_BYTES]
            rest = content[place - begins + HEAD_BYTES :]
            is_torn = 0 < len(rest) < length_of(head)
            return rest if is_torn else body_at(segment, place, content, begins)

        return believed

    return _read_by(made)


def checksum_not_looked_at() -> AbstractContextManager[None]:
    """Whatever has the length that it says is a record, also what stood there before."""

    def made(_original):
        def believed(_segment, place, content, begins=0):
            start = place - begins + HEAD_BYTES
            length = length_of(content[place - begins : start])
            body = content[start : start + length]
            return body if length and length == len(body) else None

        return believed

    return _read_by(made)


def _read_by(made) -> AbstractContextManager[None]:
    """Segments are read so; the oracle reads them as they are."""

    def records(_original):
        def records_in(segment, content, begins=0, first=None):
            place = begins if first is None else first
            while (body := made(None)(segment, place, content, begins)) is not None:
                yield place, body
                place = end_of(place, body)

        return records_in

    return together(instead(segments, "body_at", made), instead(segments, "records_in", records))
