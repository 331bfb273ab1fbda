"""One call: what was asked, how far it is, whom it answers, and what its tool may ask of it."""

import math
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import attrs
import trio
from msgspec.structs import replace

from exai_trio import structs
from exai_trio.access.quotas import Place
from exai_trio.errors import ExaiError
from exai_trio.observability.events import RequestEnded
from exai_trio.observability.times import milliseconds, rfc3339
from exai_trio.system.change import Change
from exai_trio.tools.asking.ask_model import give_time
from exai_trio.tools.base import Tool
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import CallTool, Droppable, Outcome, Progress, RequestId, StreamChunk
from exai_trio.workspace.read import NOTHING_FOUND, Found

from ..context import DaemonContext
from ..delivery.stream_chunks import StreamChunks
from .call_plan import Plan
from .environment import CallEnvironment
from .limits import longest_stream
from .spans import Waits
from .states import CANCELLABLE, NEXT, SETTLED, Event, State

_LEAST_PROGRESS_GAP_S = 0.25
_ANY_CLIENT_S = 10.9  # no client waits less; a tool that waits takes a second of it


def new_correlation_id() -> str:
    return f"{random.getrandbits(64):016x}"


# An outcome on its way: what writes it, if anything does, and what tells it.
Delivery = tuple[Callable[[], Awaitable[None]] | None, Callable[[], None]]


class Recipient(Protocol):
    """Whom a call answers: its session, its handle, or a successor."""

    @property
    def journalled_as(self) -> str | None:
        """The session under which the journal has its calls; None if it has not."""
        ...

    @property
    def is_kept(self) -> bool:
        """Whether another daemon can answer them from there."""
        ...

    @property
    def is_settled(self) -> bool:
        """Nothing of its own is on its way to the disk."""
        ...

    def offer(self, message: Droppable) -> None:
        """A message that may be dropped."""
        ...

    def take(self, call: "Call", outcome: Outcome) -> Delivery:
        """The outcome takes its place among what is told, and is to be written, then told."""
        ...

    def forget(self, call: "Call") -> None:
        """It answers another from now on, or is over."""
        ...


@structs.define(eq=False, kw_only=True)
class Call:
    """A call from its admission to its end; to its tool it is the Caller. `states` tells how its state goes on.

    `timeout` is seconds from `started`, `limited_by` where that is set; `size` is the request's frame in bytes; `accepted_at` is unix
    seconds, and stays over restarts; `attempt` counts runs over restarts (0: in another daemon), `is_counted`: on disk too; `handle` is the call_id of one that was detached by an
    earlier daemon. `scope` is what the client's cancel, the daemon's cut and the end of its time end; `ending` says why, unless it was
    the time, and `is_left` that the next daemon is to run it. `is_recorded`: the disk has taken it; `is_doubtful`: it was not waited for, and the
    disk may take it yet. `changed` is told of each new state. `place` is given back when it is over. `found` are files as they
    were before it was accepted.
    """

    request: CallTool
    plan: Plan
    session_id: str
    principal: str
    roots: tuple[Path, ...]
    found: Found = NOTHING_FOUND
    recipient: Recipient
    context: DaemonContext
    environment: CallEnvironment
    accepted_at: float
    handle: str = ""
    size: int = 0
    state: State = State.ADMITTED
    timeout: float
    limited_by: str
    started: float = attrs.field(factory=trio.current_time)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ending: ExaiError | None = None
    is_left: bool = False
    is_recorded: bool = True
    is_doubtful: bool = False
    attempt: int = 1
    is_counted: bool = True
    place: Place | None = None
    changed: Change
    waits: Waits = attrs.field(factory=Waits)
    correlation_id: str = attrs.field(factory=new_correlation_id)
    chunks: StreamChunks = attrs.Factory(lambda self: StreamChunks(self._tell), takes_self=True)
    doing: str = "running"
    detail: str = ""
    _said_at: float = 0.0

    def __repr__(self) -> str:
        return f"<Call {self.tool.name} {self.session_id}/{self.request_id} {self.state.name} attempt={self.attempt}>"

    @property
    def tool(self) -> Tool:
        return self.plan.tool

    @property
    def arguments(self) -> object:
        return self.plan.arguments

    def advance(self, event: Event) -> None:
        """Raises KeyError if that cannot happen in this state."""
        self.state = NEXT[self.state][event]
        self.changed.tell()

    def answer_to(self, recipient: Recipient) -> None:
        """What comes of it from now on, and is said of it, is this one's."""
        self.recipient.forget(self)
        self.recipient = recipient

    @property
    def is_settled(self) -> bool:
        """Nothing of it is on its way to the disk, and it still works."""
        return self.state in SETTLED and self.is_counted and self.recipient.is_settled

    @property
    def wire_id(self) -> RequestId:
        return self.request.request_id

    @property
    def request_id(self) -> str:
        return str(self.request.request_id)

    @property
    def call_id(self) -> str:
        """The handle under which `result` finds it, in whichever daemon it runs."""
        return self.handle or handle_of(self.session_id, self.wire_id)

    @property
    def idempotency_key(self) -> str:
        """A client may use its session and request ids again, when the daemon has forgotten the call."""
        return f"{self.call_id}-{self.accepted_at * 1000:.0f}"

    @property
    def elapsed(self) -> float:
        return trio.current_time() - self.started

    @property
    def answer_within_s(self) -> float:
        """What the client said, if anything. Else EXAI_HANDLE_AFTER_S tells how long it waits; but who wants handles sooner than
        any client gives up only wants them soon."""
        told = self.request.handle_after_s or max(self.plan.handle_after, _ANY_CLIENT_S)
        return min(self.timeout, told) - self.elapsed

    @property
    def handle_at(self) -> float:
        """When it is to be answered with a handle, as it stands now; never, if it answers no client, keeps to the time or ends."""
        stays = self.state is not State.RUNNING or self.tool.punctual or self.ending
        return math.inf if stays else self.started + self.plan.handle_after

    def stage(self, stage: str, message: str) -> None:
        changed = stage != self.doing
        self.doing, self.detail = stage, message
        gap = trio.current_time() - self._said_at
        if changed or gap >= _LEAST_PROGRESS_GAP_S:
            self.say_progress()

    def say_progress(self) -> None:
        """Tell the client the stage as it is now, behind what came before it."""
        self.chunks.flush()
        self._said_at = trio.current_time()
        told = self.environment.keys.masked(self.detail)
        progress = Progress(
            request_id=self.wire_id,
            name=self.tool.name,
            t=rfc3339(self.context.clock.now()),
            stage=self.doing,
            message=told or f"{self.tool.name}: {self.doing}",
            elapsed_s=round(self.elapsed, 3),
        )
        self.recipient.offer(progress)

    def repeat(self, said: Droppable) -> None:
        """Tell the client what the daemon says of it that runs it."""
        if isinstance(said, Progress):
            self.stage(said.stage, said.message)
        else:
            self.recipient.offer(said)

    @property
    def told_so_far(self) -> str:
        """What it does, for whoever asks for it meanwhile."""
        return f"{self.doing}: {self.detail}" if self.detail else self.doing

    @property
    def silent_since(self) -> float:
        """When it last said something, by trio's clock."""
        return max(self._said_at, self.started)

    def chunk(self, text: str) -> None:
        if text and self.waits.first_chunk is None:
            self.waits.first_chunk = self.elapsed
        if text and self.wants_chunks:
            self.chunks.add(text)

    def _tell(self, index: int, text: str) -> None:
        masked = self.environment.keys.masked(text)
        self.recipient.offer(StreamChunk(request_id=self.wire_id, index=index, chunk=masked))

    @property
    def wants_chunks(self) -> bool:
        """The frame asks for a stream, or the tool's own argument does."""
        return self.request.stream or getattr(self.arguments, "stream", False) is True

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        self.waits.provider += seconds
        self.waits.provider_name = provider

    def latency_metrics(self) -> dict[str, Any]:
        """Milliseconds, as clients of the older system read them."""
        total, waits = self.elapsed, self.waits
        return {
            "latency_ms": milliseconds(total),
            "global_sem_wait_ms": milliseconds(waits.permit),
            "provider_sem_wait_ms": milliseconds(waits.provider),
            "processing_ms": milliseconds(total - waits.permit - waits.provider),
            "provider_name": waits.provider_name,
        }

    def requested(self, request: RequestEnded) -> None:
        self.waits.requests.append((request, self.elapsed))
        mine = replace(
            request,
            tool=self.tool.name,
            principal=self.principal,
            project=self.project,
            call=self.correlation_id,
        )
        self.context.events.publish(mine)

    @property
    def project(self) -> str:
        """The first root, in whose name it is counted."""
        return str(self.roots[0]) if self.roots else ""

    def flows(self, until: float) -> float:
        """No deadline but the stream's holds from now on; and the client's own, if it gave one."""
        cut_at = min(until, self.started + self._allowed)
        give_time(self.scope, cut_at)
        return cut_at

    def go_on_alone(self) -> None:
        """Its client has a handle and does not wait: it may take as long as a model's stream may, unless the client said less."""
        stream_s = longest_stream(self.context.config)
        if self.timeout < min(stream_s, self._allowed):
            self.timeout = min(stream_s, self._allowed)
            self.limited_by = "GLM_STREAM_TIMEOUT, KIMI_STREAM_TIMEOUT"
        self.scope.deadline = max(self.scope.deadline, self.started + self.timeout)

    @property
    def _allowed(self) -> float:
        """Seconds that its client gives it, whatever it does."""
        return self.request.timeout_s or math.inf

    def end(self, why: ExaiError, *, leave: bool = False) -> None:
        """Stop the call; its outcome is `why`, unless it has finished already or is being ended. With `leave` a failure is no
        outcome: the next daemon finds it open."""
        if self.ending is None:
            self.ending, self.is_left = why, leave
        self.scope.cancel(reason=str(why))

    @property
    def is_elsewhere(self) -> bool:
        """Another daemon runs it, and its runs are counted there."""
        return self.attempt == 0

    @property
    def is_cancellable(self) -> bool:
        """Its outcome is not on its way yet."""
        return self.state in CANCELLABLE
