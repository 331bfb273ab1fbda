"""What happens in a daemon, as values that its code publishes once. Pure: no I/O.

Times are seconds, but for those named `_ms`; `at` and `…_at` are unix seconds. None is what was not measured. Nothing here holds what a
client or a model wrote, but for names: those of tools, clients and principals; readers that keep them bound them.
Each call makes some: a struct is made in a quarter of the time that attrs takes; those of which thousands are kept have nothing that
the garbage collector would look for.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A wait of a call, in milliseconds from its acceptance; `branch` is the model, where several were asked."""

    name: str
    began_ms: float
    ended_ms: float
    branch: str = ""


class CallBegun(msgspec.Struct, frozen=True, kw_only=True):
    """A call was accepted; or, if it is `resumed`, taken up from an earlier daemon, which had accepted it."""

    tool: str
    resumed: bool = False


class CallEnded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call that was accepted has its outcome: figures, and nothing that a client or a model wrote.

    `project` is the first root; `code` and `category` are empty for an answer; `started_at` is unix seconds, all spans are
    milliseconds: `with_provider_ms` those in which a request was with a provider, `first_chunk_ms` from the acceptance to the first
    piece of a model's text. None is what was not measured: tokens where no model answered, `cost` where no price is known.
    """

    id: str
    correlation_id: str
    session: str
    tool: str
    principal: str
    project: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    started_at: float
    duration_ms: float
    permit_wait_ms: float
    provider_wait_ms: float
    with_provider_ms: float
    first_chunk_ms: float | None
    requests: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    currency: str
    journal_wait_ms: float | None = None
    spans: tuple[Span, ...] = ()


class CallLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was accepted ends here without an outcome: another daemon takes it up, or it ends with this one."""

    tool: str


class CallRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A call was never accepted. `tool` is what its client named."""

    tool: str
    code: str
    category: str


class CallRepeated(msgspec.Struct, frozen=True, kw_only=True):
    """A request was sent again, and is answered by what is known of it."""

    tool: str


class RequestEnded(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a provider, whatever ended it; `model` is empty where none is asked, `outcome` is "ok", "cancelled" or what kind
    of fault it was. Seconds are from the request, once it had its permit: to its connection, to the first piece of thinking or text, to
    the first text. Tokens are None where the provider did not count them. `tool`, `principal`, `project` and `call` (its correlation id) tell for whom; all are empty for what the daemon asks
    by itself."""

    provider: str
    model: str
    outcome: str
    permit_wait_s: float
    duration_s: float
    connected_s: float | None = None
    first_chunk_s: float | None = None
    first_text_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    tool: str = ""
    principal: str = ""
    project: str = ""
    call: str = ""


class ConnectionOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A client has said hello and is in a session, or at an endpoint of its own (`kind`)."""

    kind: Literal["session", "terminal"]
    session: str = ""
    principal: str = ""
    client: str = ""
    version: str = ""
    address: str = ""


class ConnectionClosed(msgspec.Struct, frozen=True, kw_only=True):
    """One that was opened has ended; `reason` is what the daemon said at the end, empty where the peer went."""

    kind: Literal["session", "terminal"]
    session: str = ""
    duration_s: float
    reason: str = ""


class ConnectionRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A peer that never came to its hello: `limit` is what it would have broken."""

    limit: str


class HelloRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A hello was not accepted; `error` is what the client is told."""

    error: str


class SessionOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A session is there; `restored` if it is an earlier daemon's."""

    session: str
    principal: str
    restored: bool = False


class SessionResumed(msgspec.Struct, frozen=True, kw_only=True):
    """A client is back in its session, after it was away for so long (0 if its old connection was still there)."""

    session: str
    replayed_frames: int
    away_s: float


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    duration_s: float


class BugsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Faults of ours, in a call or beside its outcome."""

    count: int


class BreakerMoved(msgspec.Struct, frozen=True, kw_only=True):
    """`breaker` is a provider, or provider/model."""

    breaker: str
    before: str
    after: str


class JobRan(msgspec.Struct, frozen=True, kw_only=True):
    """`result` is "ok", "hindered", "failed" or "gave up"; `fault` says why. It runs each `period_s`, 0 for one that has its own times."""

    job: str
    result: str
    duration_s: float
    fault: str = ""
    period_s: float = 0.0


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of cleaning up has removed so much."""

    stage: str
    removed: int
    freed_bytes: int


class Troubled(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong around the daemon is news: `text`, or None once it is over."""

    what: str
    text: str | None


class LoopHeldUp(msgspec.Struct, frozen=True, kw_only=True):
    """One task kept the event loop for so long."""

    task: str
    duration_s: float


class AlertMoved(msgspec.Struct, frozen=True, kw_only=True):
    """An alert fires, or is over."""

    alert: str
    firing: bool
    severity: str
    text: str


class IncidentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A fault was recorded, so many times; `kind` is "bug" or "world"; `news` is "new", "counted" or "reopened"."""

    kind: str
    incident: str
    news: str
    severity: str = ""
    text: str = ""
    count: int = 1


Event = (
    CallBegun
    | CallEnded
    | CallLeft
    | CallRefused
    | CallRepeated
    | RequestEnded
    | ConnectionOpened
    | ConnectionClosed
    | ConnectionRefused
    | HelloRefused
    | SessionOpened
    | SessionResumed
    | SessionEnded
    | BugsSeen
    | BreakerMoved
    | JobRan
    | Swept
    | Troubled
    | LoopHeldUp
    | AlertMoved
    | IncidentSeen
)
EVENTS: Final[tuple[type[Event], ...]] = Event.__args__

Publish = Callable[[Event], None]
"""What hands an event to whoever is to hear of it."""
