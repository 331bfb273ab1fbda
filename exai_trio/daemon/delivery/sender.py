"""A session's frames to its client, over whichever connection is there: numbered ones in order, none lost."""

import attrs

from exai_trio import structs
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Bye, DaemonMessage, Droppable, Outcome, RequestId
from exai_trio.wire.session_rules import SessionRules

from .hold_queue import Held, HoldQueue
from .outbox import Farewell, Outbox

_MOST_BEHIND = 1_000  # droppable frames that wait behind a slow disk


@structs.define(eq=False)
class Sender:
    """`outbox` is of the connection that is there now, whose client takes frames of `max_frame` bytes, and long results by
    reference if it `takes_references`. A frame that must first be on disk is held, and what is numbered after it waits behind it."""

    rules: SessionRules
    outbox: Outbox | None = None
    # replaced by the setting wherever a daemon is built
    max_frame: int = 32 * 2**20
    takes_references: bool = False
    _queue: HoldQueue = attrs.field(factory=HoldQueue)
    _held: dict[RequestId, Held] = attrs.field(factory=dict[RequestId, Held])

    def __repr__(self) -> str:
        state = "connected" if self.outbox else "away"
        return f"<Sender {state} last_seq={self.rules.last_seq} waiting={len(self._queue)}>"

    def attach(self, outbox: Outbox, *, protocol: int, last_seq: int) -> int:
        """Take a new connection. The one before hears "superseded"; what the client has missed is put first: so many frames."""
        self.supersede()
        self.outbox = outbox
        self.rules.resumable = protocol > 1
        missed = self.rules.resume(last_seq)
        again = missed[: max(0, len(missed) - self._queue.kept)]  # the rest is held
        for frame in again:
            outbox.put(frame)
        return len(again)

    def supersede(self) -> None:
        """The connection that is there hears that another has taken its place, and nothing more."""
        if self.outbox is not None:
            self.outbox.put(encode(Bye(reason="superseded", retry_after_s=0.0)))
            self.outbox.close(Farewell(reason="superseded"))
            self.outbox = None

    def send(self, message: DaemonMessage) -> None:
        """A message that needs no number; lost if no client is there."""
        if self.outbox is not None:
            self.outbox.put(encode(message))

    def offer(self, message: Droppable) -> None:
        """A message that may be dropped; it does not overtake what waits for the disk."""
        if self.outbox is None or len(self._queue) > _MOST_BEHIND:
            return
        for frame in self._queue.put(encode(message), kept=False):
            self.outbox.offer(frame)

    def deliver(self, frame: str, *, kept: bool = True) -> None:
        """A numbered frame; a client that is away gets it when it comes back. Not `kept`: one that was numbered before."""
        self._put(self._queue.put(frame, kept=kept and self.rules.resumable))

    def hold(self, request_id: RequestId, frame: str) -> None:
        """A frame about this call takes its place, and goes out in its turn once it is released."""
        self._held[request_id] = self._queue.hold(frame, kept=self.rules.resumable)

    def holds(self, request_id: RequestId) -> bool:
        return request_id in self._held

    @property
    def is_holding(self) -> bool:
        return bool(self._held)

    def release(self, request_id: RequestId, instead: str | None = None) -> None:
        """The held frame may go, or another one in its place."""
        held = self._held.pop(request_id)
        held.frame = instead or held.frame
        self._put(self._queue.free(held))

    def replace(self, request_id: RequestId, outcome: Outcome) -> None:
        """Another outcome in the place of the one that waits for the client, also where that is held."""
        frame = self.rules.replace_outcome(request_id, outcome)
        if request_id in self._held:
            self._held[request_id].frame = frame

    def _put(self, frames: list[str]) -> None:
        if self.outbox is not None:
            for frame in frames:
                self.outbox.put(frame)
