"""Frames to messages and back. Pure: no trio, no clock, no I/O.

Any text or bytes decode to one message or raise one WireError, which keeps what is needed to answer it.
"""

from typing import Any, cast

import attrs
import msgspec

from exai_trio import structs

from .beginning import LOOKED_AT, outer_members
from .messages import (
    Ack,
    Bye,
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ClientMessage,
    DaemonMessage,
    ErrorReply,
    Health,
    HealthReport,
    Hello,
    HelloAck,
    ListTools,
    PayloadAck,
    PayloadGet,
    Ping,
    Pong,
    Progress,
    RequestId,
    RotateToken,
    StreamChunk,
    TokenRotated,
    ToolList,
    ToolsChanged,
)

CLIENT_MESSAGES: dict[str, type[ClientMessage]] = {
    "hello": Hello,
    "list_tools": ListTools,
    "call_tool": CallTool,
    "tool_call": CallTool,
    "cancel": Cancel,
    "ack": Ack,
    "ping": Ping,
    "health": Health,
    "rotate_token": RotateToken,
    "payload_get": PayloadGet,
    "payload_ack": PayloadAck,
}

DAEMON_MESSAGES: dict[str, type[DaemonMessage]] = {
    "hello_ack": HelloAck,
    "list_tools_res": ToolList,
    "call_tool_ack": CallAccepted,
    "progress": Progress,
    "stream_chunk": StreamChunk,
    "cancelled": CallCancelling,
    "tools_changed": ToolsChanged,
    "pong": Pong,
    "health_res": HealthReport,
    "rotate_token_res": TokenRotated,
    "bye": Bye,
    "error": ErrorReply,
}

_LENIENT = 65_536  # characters of a frame that is worth a second look as a whole
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


@structs.define(kw_only=True, eq=False, str=False)
class WireError(Exception):
    """A frame that is no message. `op` and `request_id` are set if they could be read; `garbled` if it is not even JSON."""

    reason: str = attrs.field(kw_only=False)
    op: str | None = None
    request_id: RequestId | None = None
    garbled: bool = False

    def __str__(self) -> str:
        return self.reason


@structs.frozen
class Sequenced:
    """A message from the daemon with its number, or None if it has none."""

    message: DaemonMessage
    seq: int | None


def encode(message: ClientMessage | DaemonMessage, seq: int | None = None) -> str:
    """One JSON text. Raises WireError if the message holds text that is no Unicode (lone surrogates)."""
    try:
        body = _encoder.encode(message).decode()
    except UnicodeEncodeError as fault:
        raise WireError("text with a lone surrogate cannot be sent") from fault
    op = _CLIENT_OPS.get(type(message))
    if op is not None:
        body = f'{{"op":"{op}"{"," if len(body) > 2 else ""}{body[1:]}'  # noqa: PLR2004 - "{}" is empty
    return body if seq is None else numbered(body, seq)


def numbered(frame: str, seq: int) -> str:
    """The frame of a daemon's message with its sequence number."""
    return f'{frame[:-1]},"seq":{seq}}}'


def decode_client(frame: str | bytes) -> ClientMessage:
    """The message of a client. `op` "tool_call" with `tool: {name}` reads as call_tool."""
    fields = _object(frame)
    op = _op(fields)
    if op == "tool_call":
        fields = _modern_call(fields)
    return cast("ClientMessage", _convert(fields, op, CLIENT_MESSAGES.get(op)))


def decode_daemon(frame: str | bytes) -> Sequenced:
    """The message of a daemon, and its sequence number."""
    fields = _object(frame)
    op = _op(fields)
    kind: type[DaemonMessage] | None
    if op == "call_tool_res":
        kind = CallResult if fields.get("ok") is True else CallFailed
    else:
        kind = DAEMON_MESSAGES.get(op)
    seq = fields.get("seq")
    message = cast("DaemonMessage", _convert(fields, op, kind))
    return Sequenced(message, seq if isinstance(seq, int) else None)


_CLIENT_OPS: dict[type, str] = {
    kind: op for op, kind in CLIENT_MESSAGES.items() if op != "tool_call"
}


def _object(frame: str | bytes) -> dict[str, Any]:
    try:
        value = _decoder.decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise _undecodable(frame, fault) from fault
    if not isinstance(value, dict):
        raise WireError("the frame is not a JSON object")
    return cast("dict[str, Any]", value)


def _undecodable(frame: str | bytes, fault: Exception) -> WireError:
    """What the strict decoder refused, read again leniently, only to find whom to answer."""
    is_json, fields = _read_leniently(frame)
    op = fields.get("op")
    return WireError(
        f"the frame is not valid JSON: {fault}",
        op=op if isinstance(op, str) else None,
        request_id=_request_id(fields),
        garbled=not is_json,
    )


def _read_leniently(frame: str | bytes) -> tuple[bool, dict[str, Any]]:
    """Whether it is JSON of a kind, as far as is looked; and its fields, or those at its beginning."""
    if len(frame) > _LENIENT:
        return True, dict[str, Any](outer_members(frame))
    import json  # 0.2 MiB that a shim without such frames need not hold

    try:
        value: object = json.loads(frame)
    except (ValueError, RecursionError) as fault:
        return isinstance(fault, RecursionError), dict[str, Any](outer_members(frame))
    return True, cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _op(fields: dict[str, Any]) -> str:
    op = fields.get("op")
    if not isinstance(op, str):
        raise WireError(
            "the frame has no op, or one that is not a string", request_id=_request_id(fields)
        )
    return op


def _request_id(fields: dict[str, Any]) -> RequestId | None:
    request_id = fields.get("request_id")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        return None
    if isinstance(request_id, int):
        return request_id
    return _sendable(request_id) if len(request_id) <= LOOKED_AT else None


def _sendable(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        # audit: empty-handler, because None is the answer: it cannot be sent as it is
        return None
    return text


def _modern_call(fields: dict[str, Any]) -> dict[str, Any]:
    tool: object = fields.get("tool")
    named: dict[str, Any] = cast("dict[str, Any]", tool) if isinstance(tool, dict) else {}
    modern: dict[str, Any] = dict(fields)
    for key in ("name", "arguments"):
        if key in named:
            modern.setdefault(key, named[key])
    return modern


def _arguments(given: str | None) -> object:
    """Null is none; a text may hold the object. What is neither stays as it is."""
    if given is None:
        return {}
    try:
        value: object = _decoder.decode(given)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return given
    return cast("object", value) if isinstance(value, dict) else given


def _convert(fields: dict[str, Any], op: str, kind: type[object] | None) -> object:
    if kind is None:
        raise WireError(f"unknown op {op[:64]!r}", op=_sendable(op), request_id=_request_id(fields))
    if isinstance(fields.get("arguments", ...), str | None):
        fields = {**fields, "arguments": _arguments(fields["arguments"])}
    try:
        message = msgspec.convert(fields, kind)
    except (msgspec.ValidationError, RecursionError) as fault:
        raise WireError(f"{op}: {fault}", op=op, request_id=_request_id(fields)) from fault
    return message
