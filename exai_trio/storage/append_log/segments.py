"""A log in numbered segments: records are appended to the newest, read back, and go with the oldest.

A segment that cannot be written any more is left, and a new one begun; a removed one is read through its descriptor.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.storage.event_journal import Place

from .files import LogFile, LogFiles
from .framing import HEAD_BYTES, Buffer, body_at, end_of, head_of, length_of, records_in

log = logging.getLogger("exai.storage")

_WINDOW: Final = 2**20  # bytes that are read at once
_NEAR: Final = 2**16  # the same, where perhaps few of the records are wanted
# A segment is sealed when it is so long, in bytes: it is folded in one transaction, and others write and read between two.
SEALED_AT: Final = 4 * 2**20


@structs.define(eq=False)
class Segment:
    """One file of the log. `torn`: more stands in it than records."""

    number: int
    file: LogFile
    end: int = 0
    torn: bool = False

    def append(self, body: bytes) -> Place:
        """Raises OSError; then the record is not there."""
        place = self.end
        self.file.write(head_of(self.number, place, body), body, place)
        self.end = end_of(place, body)
        return self.number, place

    def bodies(self, places: Iterable[int]) -> Iterator[Buffer | None]:
        """Of the records at these places, which rise; None for one that the disk gives back as something else than was written.
        Many are read at once: each reading gives up the interpreter, and waits for it. Raises OSError."""
        content, begins = b"", 0
        for place in places:
            body = body_at(self.number, place, content, begins)
            if body is None:
                content, begins = self.file.read(place, _NEAR), place
                length = HEAD_BYTES + length_of(content)
                if length > _NEAR:
                    content += self.file.read(place + _NEAR, length - _NEAR)
                body = body_at(self.number, place, content, begins)
            yield body

    def records(self) -> Iterator[tuple[Place, Buffer]]:
        """All that are whole. What stands behind them is told, and kept aside when the segment goes."""
        while window := self.file.read(self.end, self._reach()):
            found = list(records_in(self.number, window, self.end))
            if not found:
                break
            for place, body in found:
                yield (self.number, place), body
            self.end = end_of(*found[-1])
        self._look_behind()

    def _reach(self) -> int:
        """Bytes to read from `end` on: a window, or one record that is longer."""
        length = length_of(self.file.read(self.end, HEAD_BYTES))
        return min(max(_WINDOW, HEAD_BYTES + length), self.file.length() - self.end)

    def _look_behind(self) -> None:
        rest = self.file.length() - self.end
        self.torn = rest > 0
        if self.torn:
            log.warning(
                "the end of the call log is torn", extra={"segment": self.number, "bytes": rest}
            )

    def cut_back(self, end: int) -> None:
        """What was written behind this place is not there."""
        self.end = end
        self.file.cut(end)


@structs.define(eq=False)
class Segments:
    """`sealed` ones are not written any more; `active` is the newest, or None until it can be made; over `sealed_at` bytes it is to be
    sealed. `flushes`: what is written is to survive a power cut.

    Two threads and the loop look at `sealed`: it is another dict after each change.
    """

    files: LogFiles
    flushes: bool = False
    newest: int = 0
    sealed_at: int = SEALED_AT
    sealed: dict[int, Segment] = attrs.field(factory=dict[int, Segment])
    active: Segment | None = None
    _sealed_bytes: int = 0

    @property
    def length(self) -> int:
        """Bytes of all of them."""
        return self._sealed_bytes + (self.active.end if self.active else 0)

    def find(self, folded: int) -> None:
        """Open what there is of an earlier life; what was folded already is removed. Raises OSError."""
        self.close()
        for number in self.files.numbers():
            self._seal(Segment(number, self.files.open(number)))
        self.newest = max(folded, *self.sealed, 0)
        self.remove(folded)

    def records(self) -> Iterator[tuple[Place, Buffer]]:
        """Of all sealed segments, in order."""
        for segment in self.sealed.values():
            yield from segment.records()
        self._keep(self.sealed)  # their lengths are known now

    def append(self, body: bytes) -> Place:
        return self.writable().append(body)

    def writable(self) -> Segment:
        """The active segment, made if there is none, or if somebody has removed it; what stands in a removed one is not lost yet."""
        if self.active is not None and not self.active.file.is_there():
            self._seal(self.active)
        return self.active or self._begin()

    @property
    def is_due(self) -> bool:
        """The active segment is to be sealed."""
        return self.active is not None and self.active.end > self.sealed_at

    @property
    def is_any_removed(self) -> bool:
        """Somebody has removed a file whose records are not in the database yet."""
        every = (*self.sealed.values(), *filter(None, [self.active]))
        return not all(segment.file.is_there() for segment in every)

    def _seal(self, segment: Segment) -> None:
        self._keep({**self.sealed, segment.number: segment})
        self.active = None

    def _keep(self, sealed: dict[int, Segment]) -> None:
        self.sealed = sealed
        self._sealed_bytes = sum(segment.end for segment in sealed.values())

    def roll(self) -> int:
        """Seal what there is: what is appended from now on stands in a new segment. Returns the number of the last that is sealed.

        Raises OSError.
        """
        last = self.active
        if last is not None and last.end:
            if self.flushes:
                last.file.flush()
            self._seal(last)
            self._begin()
        return max(self.sealed, default=0)

    def _begin(self) -> Segment:
        self.newest += 1
        self.active = Segment(self.newest, self.files.make(self.newest))
        return self.active

    def bodies(self, places: Sequence[Place]) -> Iterator[tuple[Place, Buffer | None]]:
        """What stands at these places, which rise; None for what is broken. Raises OSError."""
        for number, some in groupby(places, key=itemgetter(0)):
            active, here = self.active, list(some)
            segment = active if active and active.number == number else self.sealed[number]
            yield from zip(here, segment.bodies(place for _, place in here), strict=True)

    def remove(self, folded: int) -> None:
        """Segments up to this number are in the database. One that cannot be removed is passed over at the next start."""
        gone = {number: one for number, one in self.sealed.items() if number <= folded}
        self._keep({number: one for number, one in self.sealed.items() if number > folded})
        for number, segment in gone.items():
            try:
                segment.file.remove(keep=segment.torn)
            except OSError as fault:
                log.warning("segment not removed", extra={"segment": number, "fault": str(fault)})

    def close(self) -> None:
        for segment in (*self.sealed.values(), *filter(None, [self.active])):
            segment.file.close()
        self._keep({})
        self.active = None
