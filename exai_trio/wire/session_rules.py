"""The rules of one session: what a request id means, which frames are numbered and kept. Pure: no trio, no clock, no I/O.

A request id is an idempotency key: the same id with the same call joins the running call or repeats the stored outcome.
Numbered frames are kept until the client acknowledges them; a client of protocol 1 gets no numbers and keeps nothing here.
"""

from collections.abc import Iterable

import attrs
import msgspec
import xxhash

from exai_trio import structs
from exai_trio.errors import ExaiError, InvalidRequestError

from .codec import encode, numbered
from .messages import CallTool, DaemonMessage, RequestId
from .session_bounds import Bounds, over_capacity

# Numbers after a restart begin so far above those that are known: frames that are not written down (refusals) had some
# of the numbers between, and a client counts what is below its last number as received.
RESTART_GAP = 2**20

_FRAME_BYTES = 300  # beside its text: its entries in the tables
_sorted = msgspec.json.Encoder(order="sorted")


@structs.frozen
class Start:
    """A new call: run it."""


@structs.frozen
class Again:
    """A known call: send this frame again, if there is one; the tool does not run a second time. `anew`: under a new number."""

    frame: str | None
    anew: bool = False


@structs.frozen
class Refuse:
    """Answer the call with this fault; nothing was started."""

    fault: ExaiError


@structs.frozen
class Numbered:
    """A frame about a call as it goes out, its number (0: none), and its text without that."""

    frame: str
    seq: int
    body: str


@structs.frozen(kw_only=True)
class Survivor:
    """A call as it outlived its daemon: the frames without their numbers; a number of 0 was never given."""

    call: CallTool
    accepted: str
    accepted_seq: int
    outcome: str | None
    outcome_seq: int


@structs.define
class _Known:
    """A call that the session has seen. `body` is the frame to repeat, without its number."""

    fingerprint: bytes
    body: str | None = None
    seq: int = 0
    finished: bool = False


@structs.define
class SessionRules:
    """Owned by one session; every method is one synchronous step. Dicts keep the order in which things came."""

    bounds: Bounds = attrs.field(factory=Bounds)
    resumable: bool = False
    running: int = 0
    _last_seq: int = 0
    _acked: int = 0
    _unacked: dict[int, str] = attrs.field(factory=dict[int, str])
    _unacked_bytes: int = 0
    _known: dict[RequestId, _Known] = attrs.field(factory=dict[RequestId, _Known])
    _kept_bytes: int = 0

    def restore(self, survivors: list[Survivor], acked: int, base: int) -> None:
        """Know again what an earlier daemon knew, whose numbers began above `base`; only before anything else. Calls without
        outcome count as running."""
        frames: list[tuple[int, str]] = []
        for one in survivors:
            known = _Known(_fingerprint(one.call), one.accepted, one.accepted_seq)
            frames.append((one.accepted_seq, one.accepted))
            if one.outcome is None:
                self.running += 1
            else:
                known = _Known(known.fingerprint, one.outcome, one.outcome_seq, finished=True)
                frames.append((one.outcome_seq, one.outcome))
                self._kept_bytes += len(one.outcome)
            self._known[one.call.request_id] = known
        self._acked = acked
        for seq, body in sorted(frames):
            self._last_seq = max(self._last_seq, seq)
            if seq > acked:
                self._keep(seq, numbered(body, seq))
        if self._last_seq:
            self._last_seq = max(self._last_seq, base) + RESTART_GAP

    @property
    def acked(self) -> int:
        return self._acked

    @property
    def last_seq(self) -> int:
        """The highest number that a frame could have."""
        return self._last_seq

    def outcome_of(self, request_id: RequestId) -> str | None:
        """The outcome of this call, without its number; None if it has none yet, or is not known any more."""
        known = self._known.get(request_id)
        return known.body if known is not None and known.finished else None

    @property
    def held_bytes(self) -> int:
        """Memory that frames and outcomes take, about."""
        frames = len(self._unacked) + len(self._known)
        return self._unacked_bytes + self._kept_bytes + frames * _FRAME_BYTES

    @property
    def unacked_frames(self) -> int:
        """Frames that the client has not acknowledged."""
        return len(self._unacked)

    @property
    def is_overdrawn(self) -> bool:
        """Refusals and repetitions are more than anybody may hold who never acknowledges."""
        return len(self._unacked) > 2 * self.bounds.unacked_frames

    @property
    def holds_anything(self) -> bool:
        """False if a client that came back would find nothing."""
        return bool(self._known or self._unacked)

    def submit(self, call: CallTool, objection: ExaiError | None = None) -> Start | Again | Refuse:
        """What to do with a call; `objection` says why a new one cannot be started. After Start the session counts it as
        running until `finish`."""
        known = self._known.get(call.request_id)
        fault = None if known is not None else objection or self.over_capacity()
        if fault is not None:
            return Refuse(fault)
        try:
            fingerprint = _fingerprint(call)
        except RecursionError:
            return Refuse(InvalidRequestError("the arguments are nested too deeply"))
        if known is not None:
            return self._meet_again(known, fingerprint)
        self._known[call.request_id] = _Known(fingerprint)
        self.running += 1
        return Start()

    def _meet_again(self, known: _Known, fingerprint: bytes) -> Again | Refuse:
        if known.fingerprint != fingerprint:
            return Refuse(_reused())
        if known.body is None or not self.resumable:
            return Again(known.body)
        if known.seq <= self._acked:
            frame = self._number(known.body)
            known.seq = self._last_seq
            return Again(frame, anew=True)
        return Again(numbered(known.body, known.seq))

    def over_capacity(self) -> ExaiError | None:
        """Why no new call can be started, whatever it is."""
        return over_capacity(self.bounds, self.running, len(self._unacked), self._unacked_bytes)

    def accept(self, request_id: RequestId, message: DaemonMessage) -> Numbered:
        """The call_tool_ack of a started call; it is what a repeated request hears while the call runs."""
        return self._remember(request_id, message)

    def finish(self, request_id: RequestId, message: DaemonMessage) -> Numbered:
        """The outcome of a started call; it is what a repeated request hears from now on, if it is not too much to keep."""
        numbered = self._remember(request_id, message)
        self._known[request_id] = known = self._known.pop(request_id)  # the newest stands last
        known.finished = True
        self._kept_bytes += len(numbered.body)
        self.running -= 1
        self._forget_old()
        return numbered

    def reject(self, request_id: RequestId, message: DaemonMessage) -> str:
        """The refusal that goes out in place of an acceptance, under its number if it had one; the call was never seen."""
        known = self._known.pop(request_id)
        self.running -= 1
        body = encode(message)
        return self._renumbered(known.seq, body) if known.seq else self._number(body)

    def unacknowledged_outcomes(self) -> list[tuple[RequestId, str]]:
        """The calls whose outcomes wait for the client, and those without their numbers."""
        return [
            (request_id, known.body)
            for request_id, known in self._known.items()
            if known.finished and known.body and known.seq > self._acked
        ]

    def replace_outcome(self, request_id: RequestId, message: DaemonMessage) -> str:
        """Another outcome in the place of the one that waits for the client, under its number."""
        known, body = self._known[request_id], encode(message)
        self._kept_bytes += len(body) - len(known.body or "")
        known.body = body
        return self._renumbered(known.seq, body)

    def _renumbered(self, seq: int, body: str) -> str:
        """The frame of this number from now on."""
        frame = numbered(body, seq)
        if seq in self._unacked:
            self._unacked_bytes += len(frame) - len(self._unacked[seq])
            self._unacked[seq] = frame
        return frame

    def _remember(self, request_id: RequestId, message: DaemonMessage) -> Numbered:
        known = self._known[request_id]
        body = known.body = encode(message)
        frame = self._number(body)
        known.seq = self._last_seq if self.resumable else 0
        return Numbered(frame, known.seq, body)

    def number(self, message: DaemonMessage) -> str:
        """The frame of a message that must not be lost."""
        return self._number(encode(message))

    def _number(self, body: str) -> str:
        if not self.resumable:
            return body
        self._last_seq += 1
        frame = numbered(body, self._last_seq)
        self._keep(self._last_seq, frame)
        return frame

    def _keep(self, seq: int, frame: str) -> None:
        self._unacked[seq] = frame
        self._unacked_bytes += len(frame)

    def acknowledge(self, seq: int) -> None:
        """Every frame up to `seq` is in the client's hands. A number that was never given counts as the last one given."""
        newest = min(seq, self._last_seq)
        for number in self._between(self._acked, newest):
            self._unacked_bytes -= len(self._unacked.pop(number, ""))
        self._acked = max(self._acked, newest)
        self._forget_old()

    def _between(self, acked: int, newest: int) -> Iterable[int]:
        """The numbers that an acknowledgement covers; few or many lie between two, and after a restart very many."""
        if newest - acked <= len(self._unacked):
            return range(acked + 1, newest + 1)
        return [number for number in self._unacked if number <= newest]

    def resume(self, last_seq: int) -> list[str]:
        """What a client that came back has missed, in order."""
        self.acknowledge(last_seq)
        return list(self._unacked.values())

    def known(self) -> tuple[RequestId, ...]:
        """The ids of the calls that it can still say something about."""
        return tuple(self._known)

    def is_running(self, request_id: RequestId) -> bool:
        known = self._known.get(request_id)
        return known is not None and not known.finished

    def _forget_old(self) -> None:
        """Drop the oldest outcomes that are over the bounds. An outcome not yet acknowledged is never dropped."""
        while len(self._known) - self.running > self.bounds.kept_outcomes or (
            self._kept_bytes > self.bounds.kept_bytes
        ):
            oldest = self._oldest_delivered()
            if oldest is None:
                return
            self._kept_bytes -= len(self._known.pop(oldest).body or "")

    def _oldest_delivered(self) -> RequestId | None:
        for request_id, known in self._known.items():
            if known.finished:
                return request_id if known.seq <= self._acked else None
        return None


def _fingerprint(call: CallTool) -> bytes:
    return xxhash.xxh3_128_digest(_sorted.encode((call.name, call.arguments)))


def _reused() -> ExaiError:
    return InvalidRequestError(
        "this request_id was used for another call; give every call its own id",
        details={"reason": "request_id_reused"},
    )
