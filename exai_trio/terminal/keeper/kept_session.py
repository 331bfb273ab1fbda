"""The rules of one kept session: who is shown what, what may be overwritten, which size holds, when it is over.

Pure: the caller says what time it is, reads the terminal when there is `room`, and writes what `next_frame` gives. Standard library only.
"""

from typing import Any, Final

from .numbered_input import FULL, OUT_OF_ORDER, QUEUED, NumberedInput
from .output_ring import OutputRing
from .viewer import Viewer

Size = tuple[int, int]  # columns, rows

MOST_VIEWERS: Final = 64
MOST_CELLS: Final = 2000  # columns, or rows
CHUNK: Final = 131_072  # bytes of output in one frame
BACKLOG: Final = 524_288  # bytes by which the program may be ahead of the client that shows most: what Ctrl-C has to wait for
_REDRAW_S: Final = 0.05  # so long a program sees another size, and draws everything again
NEVER: Final = float("inf")


class Refused(Exception):
    """A request that is not granted: a code of the table of errors, and words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def checked_size(cols: object, rows: object) -> Size:
    """Raises Refused."""
    for given in (cols, rows):
        if type(given) is not int or not 1 <= given <= MOST_CELLS:
            raise Refused(
                "INVALID_REQUEST", f"columns and rows must be numbers from 1 to {MOST_CELLS}"
            )
    assert isinstance(cols, int)
    assert isinstance(rows, int)
    return cols, rows


class Times:
    """Seconds: output is held so long for nobody, a session without client and output lives so long, and an exit is told so long."""

    def __init__(self, hold_s: float, idle_s: float, linger_s: float) -> None:
        self.hold_s = hold_s
        self.idle_s = idle_s
        self.linger_s = linger_s


class KeptSession:
    """`size` is the terminal's, `exit` how the program ended, if it has."""

    def __init__(self, ring_bytes: int, times: Times, size: Size, now: float) -> None:
        self.ring = OutputRing(ring_bytes)
        self.input = NumberedInput()
        self.size = size
        self.exit: dict[str, Any] | None = None
        self.viewers: list[Viewer] = []
        self.active_at = now
        self._times = times
        self._held = 0
        self._held_until = now + times.hold_s
        self._redrawn_at = 0.0
        self._over_at = NEVER

    # who is attached

    def attach(
        self, client: str, offset: int | None, size: Size, *, writes: bool, now: float
    ) -> Viewer:
        """A viewer that is sent what lies behind `offset`, or what there is. Raises Refused."""
        if offset is not None and not 0 <= offset <= self.ring.head:
            raise Refused(
                "INVALID_REQUEST",
                f"offset {offset} is not within the output, which ends at {self.ring.head}",
            )
        if len(self.viewers) >= MOST_VIEWERS:
            raise Refused("SESSION_LIMIT", f"{MOST_VIEWERS} clients are attached already")
        for other in [one for one in self.viewers if one.client == client]:
            other.is_over = True
            other.tell(op="bye", reason="superseded")
            self.viewers.remove(other)
        start = self.ring.start()
        begins = (self.ring.head if start is None else start) if offset is None else offset
        viewer = Viewer(client, begins, writes=writes, size=size)
        self.viewers.append(viewer)
        self.active_at = now
        is_whole = begins >= self.ring.tail if offset is not None else begins == 0
        if writes and not self._rule(viewer) and not is_whole:
            self.redraw(now)
        return viewer

    def detach(self, viewer: Viewer, now: float) -> None:
        """It is gone. What the last one has not shown is held for a while."""
        if viewer not in self.viewers:
            return
        self.viewers.remove(viewer)
        self.active_at = now
        if not self.viewers:
            self._held = viewer.acked
            self._held_until = now + self._times.hold_s

    def begin_again(self, viewer: Viewer, offset: int, now: float) -> None:
        """Send what lies behind `offset` next: only what was not sent, or what has not been. Raises Refused."""
        if not viewer.cursor <= offset <= self.ring.head:
            raise Refused(
                "INVALID_REQUEST",
                f"offset {offset} is not between {viewer.cursor} and {self.ring.head}",
            )
        viewer.jump(offset)
        viewer.acknowledge(offset, now)

    # output

    def room(self, now: float) -> int:
        """How many bytes of the program's output may be taken now."""
        self._look(now)
        room = self.ring.room(self._held_from(now))
        shown = [viewer.acked for viewer in self.viewers if not viewer.is_behind]
        if shown:
            room = min(room, BACKLOG - (self.ring.head - max(shown)))
        return max(0, min(room, CHUNK))

    def _look(self, now: float) -> None:
        for viewer in self.viewers:
            viewer.look(self.ring.head, now)

    def _held_from(self, now: float) -> int | None:
        """What may not be overwritten begins here."""
        if self.viewers:
            return min((one.acked for one in self.viewers if not one.is_behind), default=None)
        return self._held if now < self._held_until else None

    def take_output(self, data: bytes | memoryview, now: float) -> None:
        """The program wrote this."""
        self.ring.append(data)
        self.active_at = now

    def next_frame(self, viewer: Viewer) -> tuple[int, bytes] | bytes | None:
        """What this viewer is to be sent next: a frame of text, or output with its offset; None while there is nothing."""
        if viewer.texts:
            return viewer.texts.popleft()
        if viewer.is_over:
            return None
        start = self.ring.start() if viewer.cursor < self.ring.tail else viewer.cursor
        if start is None:
            return None
        if start > viewer.cursor:
            viewer.tell(op="gap", **{"from": viewer.cursor, "to": start})
            viewer.jump(start)
            return viewer.texts.popleft()
        return self._next_output(viewer)

    def _next_output(self, viewer: Viewer) -> tuple[int, bytes] | bytes | None:
        if viewer.cursor < self.ring.head:
            most = viewer.room(min(CHUNK, self.ring.head - viewer.cursor))
            if most <= 0:
                return None
            if viewer.tell_taken():
                return viewer.texts.popleft()
            offset, data = viewer.cursor, self.ring.read(viewer.cursor, most)
            viewer.cursor += len(data)
            return offset, data
        if self.exit is not None and not viewer.knows_exit:
            viewer.knows_exit = True
            viewer.tell_taken()
            viewer.tell(op="exited", **self.exit)
            return viewer.texts.popleft()
        return None

    def acknowledge(self, viewer: Viewer, offset: int, now: float) -> None:
        """Raises Refused for what was not sent."""
        if not 0 <= offset <= viewer.cursor:
            raise Refused(
                "INVALID_REQUEST", f"offset {offset} was not sent; {viewer.cursor} is the next"
            )
        viewer.acknowledge(offset, now)

    # input

    def type(self, viewer: Viewer, sequence: int, data: bytes, now: float) -> None:
        """Queue input for the program. Raises Refused."""
        if not viewer.writes:
            raise Refused("NOT_ALLOWED", "this client is attached to read only")
        if self.exit is not None:
            raise Refused("ENDED", "the program has ended")
        verdict = self.input.offer(viewer.client, sequence, data)
        expected = self.input.expected(viewer.client)
        if verdict == OUT_OF_ORDER:
            raise Refused("INVALID_REQUEST", f"input {sequence} came, and {expected} is next")
        if verdict == FULL:
            raise Refused(
                "INPUT_FULL", f"input {sequence} is too much at once: what waits is not read yet"
            )
        if verdict == QUEUED:
            self.active_at = now
            self._rule(viewer)
        elif self.input.taken(viewer.client) >= sequence:
            viewer.tell(op="taken", n=self.input.taken(viewer.client))

    def note_taken(self, client: str, sequence: int, now: float) -> None:
        """The program has it; its client is told soon, with the echo if there is one."""
        for viewer in self.viewers:
            if viewer.client == client:
                viewer.note_taken(sequence, now)

    def tell_refused(self, client: str, sequence: int) -> None:
        """The kernel would have cut this input."""
        for viewer in self.viewers:
            if viewer.client == client:
                words = "the program reads lines, and this one has more than 4,095 characters; nothing of it was typed"
                viewer.tell(op="error", code="LINE_TOO_LONG", message=words, sequence=sequence)

    # size

    def resize(self, viewer: Viewer, size: Size, now: float, *, redraw: bool = False) -> None:
        """Raises Refused."""
        if not viewer.writes:
            raise Refused("NOT_ALLOWED", "this client is attached to read only")
        viewer.size = size
        self.active_at = now
        if not self._rule(viewer) and redraw:
            self.redraw(now)

    def redraw(self, now: float) -> None:
        """Let the program draw everything again: for a moment its terminal has another size."""
        self._redrawn_at = now + _REDRAW_S

    def size_now(self, now: float) -> Size:
        """The size that the program is to see."""
        cols, rows = self.size
        return (cols, rows - 1 if rows > 1 else 2) if now < self._redrawn_at else (cols, rows)

    def _rule(self, viewer: Viewer) -> bool:
        """Who typed or resized last rules. True if that changes the size."""
        if self.size == viewer.size:
            return False
        self.size = viewer.size
        cols, rows = viewer.size
        for other in self.viewers:
            if other is not viewer:
                other.tell(op="resized", cols=cols, rows=rows)
        return True

    # the end

    def end(self, exit_: dict[str, Any], now: float) -> None:
        """The program has ended, and all of its output is here."""
        self.exit = exit_
        self.active_at = now
        self._over_at = now + self._times.linger_s
        self.input.drop()

    def is_over(self, now: float) -> bool:
        """Whether nobody needs it any more: all is shown and the exit is known, or the time is over."""
        if self.exit is None:
            return False
        if now >= self._over_at:
            return True
        head = self.ring.head
        return any(one.has_confirmed for one in self.viewers) and all(
            one.has_confirmed and one.acked >= head for one in self.viewers
        )

    def is_forgotten(self, now: float) -> bool:
        """Whether nobody has been attached, and nothing came, for too long."""
        return self.exit is None and not self.viewers and now - self.active_at >= self._times.idle_s

    def deadline(self, now: float) -> float:
        """When something here changes by itself."""
        self._look(now)  # nobody asks for room any more once the output is over
        times = [self._over_at]
        times += [at for one in self.viewers if (at := one.left_behind_at) is not None]
        times += [one.tells_taken_at for one in self.viewers]
        times += [at for at in (self._redrawn_at, self._held_until) if at > now]
        if self.exit is None and not self.viewers:
            times.append(self.active_at + self._times.idle_s)
        return min(times)
