"""The messages of the EXAI protocol, version 2, as attrs classes. Pure: no trio, no clock, no I/O.

Field names are the wire's. A field that is UNSET does not travel; unknown fields on arrival are ignored.
`seq` is not a field here: the codec adds it to a frame when the session has numbered it.
"""

from typing import Annotated, Any, Final, Literal

import attrs
from msgspec import UNSET, Meta, UnsetType

from exai_trio import structs

RequestId = Annotated[str, Meta(min_length=1, max_length=512)] | int
Seconds = Annotated[float, Meta(gt=0)]
MaybeId = RequestId | None | UnsetType
Roots = Annotated[list[Annotated[str, Meta(max_length=4096)]], Meta(max_length=256)]
Trace = Annotated[str, Meta(max_length=512)]
Accepts = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=16)]
TransactionId = Annotated[str, Meta(min_length=1, max_length=128)]
ANSWER_NOT_KEPT: Final = "answer_not_kept"  # the same: it has run, and its result is lost
PAYLOAD_REF: Final = "payload_ref"
ANSWER_TOO_LARGE: Final = (
    "answer_too_large"  # a fault's details.reason: the call has run all the same
)


@structs.frozen(kw_only=True)
class Hello:
    """The first frame of a client. `roots` are directories that its tools may read, `max_frame_bytes` the largest frame that it takes.

    `accepts` names what it understands beyond the protocol: "payload_ref" is a large result by reference. `visit` counts the hellos of a
    session, from 1: one that arrives after a newer one changes nothing.
    """

    token: str | None = None
    jwt: str | None = None
    session_id: str | None = None
    client_name: str | None = None
    client_version: str | None = None
    protocol: int = 1
    last_seq: Annotated[int, Meta(ge=0)] = 0
    roots: Roots | None = None
    max_frame_bytes: Annotated[int, Meta(ge=65_536)] | UnsetType = UNSET
    accepts: Accepts | UnsetType = UNSET
    visit: Annotated[int, Meta(ge=0)] = 0


@structs.frozen(kw_only=True)
class ListTools:
    request_id: MaybeId = UNSET


@structs.frozen(kw_only=True)
class CallTool:
    """`trace` is a W3C traceparent; `roots` replace those of the hello for this call.

    A call that still runs after `handle_after_s` is answered with a handle, and its work goes on. `accepts` is the hello's, which
    the daemon notes.
    """

    request_id: RequestId
    name: Annotated[str, Meta(min_length=1)]
    arguments: dict[str, Any] = attrs.field(factory=dict[str, Any])
    timeout_s: Seconds | None = None
    stream: bool = False
    trace: Trace | None = None
    roots: Roots | None = None
    handle_after_s: Seconds | None = None
    accepts: Accepts | UnsetType = UNSET


@structs.frozen(kw_only=True)
class Cancel:
    request_id: RequestId


@structs.frozen(kw_only=True)
class Ack:
    """Cumulative: every sequenced frame up to `seq` is in the client's hands. `handles`: of the calls whose outcomes it acknowledges,
    and that were not answered with a handle, the client has told handles of these alone; without it, it may have of any."""

    seq: Annotated[int, Meta(ge=0)]
    handles: list[RequestId] | UnsetType = UNSET


@structs.frozen(kw_only=True)
class Ping:
    request_id: MaybeId = UNSET


@structs.frozen(kw_only=True)
class Health:
    request_id: MaybeId = UNSET


@structs.frozen(kw_only=True)
class RotateToken:
    old: str = attrs.field(repr=False)
    new: str = attrs.field(repr=False)
    request_id: MaybeId = UNSET


@structs.frozen(kw_only=True)
class PayloadGet:
    """Asks for a piece of a large result, from this byte of its text on; at most four may be unanswered."""

    request_id: RequestId
    transaction_id: TransactionId
    offset: Annotated[int, Meta(ge=0)] = 0


@structs.frozen(kw_only=True)
class PayloadAck:
    """The whole of a large result is in the client's hands. It is answered only if there is no such result."""

    request_id: RequestId
    transaction_id: TransactionId


ClientMessage = (
    Hello | ListTools | CallTool | Cancel | Ack | Ping | Health | RotateToken | PayloadGet | PayloadAck
)  # fmt: skip


@structs.frozen(kw_only=True)
class Fault:
    """A failure as it travels. `correlation_id` is the id under which the daemon's logs know it."""

    code: str
    message: str
    category: str
    retryable: bool
    correlation_id: str
    retry_after_s: float | UnsetType = UNSET
    details: dict[str, Any] | UnsetType = UNSET


@structs.frozen(kw_only=True)
class Output:
    type: Literal["text"] = "text"
    text: str
    metadata: dict[str, Any] | UnsetType = UNSET


@structs.frozen(kw_only=True)
class ServerFacts:
    """`home` names the home that the daemon serves: a client of the same home may start its next daemon. An older daemon does
    not say, nor one whose home cannot be written."""

    name: str
    version: str
    boot_id: str
    home: str | UnsetType = UNSET


@structs.frozen(kw_only=True)
class HelloAck:
    ok: bool
    session_id: str | UnsetType = UNSET
    protocol: int | UnsetType = UNSET
    resumed: bool | UnsetType = UNSET
    server: ServerFacts | UnsetType = UNSET
    limits: dict[str, float] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    retry_after_s: float | UnsetType = UNSET
    op: Literal["hello_ack"] = "hello_ack"


@structs.frozen(kw_only=True)
class ToolList:
    tools: list[dict[str, Any]]
    request_id: MaybeId = UNSET
    op: Literal["list_tools_res"] = "list_tools_res"


@structs.frozen(kw_only=True)
class CallAccepted:
    """`repeatable`: the client may send the call to another daemon if this one forgets it; an older daemon does not say."""

    request_id: RequestId
    name: str
    timeout: float
    accepted: bool = True
    repeatable: bool | UnsetType = UNSET
    op: Literal["call_tool_ack"] = "call_tool_ack"


@structs.frozen(kw_only=True)
class Progress:
    """What a running call does. `t` is RFC 3339; never sequenced, may be dropped."""

    request_id: RequestId
    name: str
    t: str
    stage: str
    message: str
    elapsed_s: float
    op: Literal["progress"] = "progress"


@structs.frozen(kw_only=True)
class StreamChunk:
    """A piece of the answer; pieces that came at one moment are one."""

    request_id: RequestId
    index: int
    chunk: str
    op: Literal["stream_chunk"] = "stream_chunk"


@structs.frozen(kw_only=True)
class CallResult:
    """The outcome of a call that did its work. `text` is all outputs joined, for old clients."""

    request_id: RequestId
    outputs: list[Output]
    text: str | UnsetType = UNSET
    usage: dict[str, Any] | UnsetType = UNSET
    ok: Literal[True] = True
    op: Literal["call_tool_res"] = "call_tool_res"


@structs.frozen(kw_only=True)
class CallFailed:
    """The outcome of a call that was refused, failed or was cancelled."""

    request_id: MaybeId = UNSET
    error: Fault
    ok: Literal[False] = False
    op: Literal["call_tool_res"] = "call_tool_res"


Outcome = CallResult | CallFailed
Droppable = Progress | StreamChunk


@structs.frozen(kw_only=True)
class CallCancelling:
    """The cancel was accepted; the call's one outcome follows."""

    request_id: RequestId
    op: Literal["cancelled"] = "cancelled"


@structs.frozen(kw_only=True)
class ToolsChanged:
    op: Literal["tools_changed"] = "tools_changed"


@structs.frozen(kw_only=True)
class Pong:
    request_id: MaybeId = UNSET
    op: Literal["pong"] = "pong"


@structs.frozen(kw_only=True)
class HealthReport:
    health: dict[str, Any]
    t: str
    ok: bool = True
    request_id: MaybeId = UNSET
    op: Literal["health_res"] = "health_res"


@structs.frozen(kw_only=True)
class TokenRotated:
    ok: bool
    error: Fault | UnsetType = UNSET
    request_id: MaybeId = UNSET
    op: Literal["rotate_token_res"] = "rotate_token_res"


@structs.frozen(kw_only=True)
class Bye:
    """The daemon closes on purpose: `reason` is "draining", "superseded" or "slow_reader"."""

    reason: str
    retry_after_s: float
    op: Literal["bye"] = "bye"


@structs.frozen(kw_only=True)
class ErrorReply:
    """A fault in a frame that is no call."""

    error: Fault
    request_id: MaybeId = UNSET
    op: Literal["error"] = "error"


DaemonMessage = (
    HelloAck | ToolList | CallAccepted | Progress | StreamChunk | CallResult | CallFailed | CallCancelling
    | ToolsChanged | Pong | HealthReport | TokenRotated | Bye | ErrorReply
)  # fmt: skip
