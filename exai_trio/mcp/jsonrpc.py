"""JSON-RPC lines: bytes to messages, values to lines. Pure: no trio, no clock, no I/O, and nothing of what a method means.

Any bytes give messages, or faults that can be answered; never an exception. Half of a surrogate pair, which JSON can
spell and Unicode cannot hold, becomes U+FFFD.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, cast

import attrs
import msgspec

from exai_trio import structs
from exai_trio.wire.beginning import LOOKED_AT, outer_members

MAX_LINE: Final = 32 * 2**20  # bytes
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
_BOM: Final = b"\xef\xbb\xbf"

Id = str | int


@structs.frozen
class Request:
    """Wants exactly one answer. `params` is JSON as it came, empty if there were none."""

    id: Id
    method: str
    params: msgspec.Raw


@structs.frozen
class Notification:
    """Wants no answer, whatever is in it."""

    method: str
    params: msgspec.Raw


@structs.frozen
class Response:
    """The client's answer to a request of ours; `result` is None if it was an error."""

    id: Id
    result: msgspec.Raw | None


@structs.frozen
class Fault:
    """Bytes that are no message, and what to say about them. `id` is None if none could be read."""

    id: Id | None
    code: int
    message: str


Message = Request | Notification | Response | Fault


class _Frame(
    msgspec.Struct
):  # the one shape that is decoded for every line: a Struct is twice as fast as attrs here
    jsonrpc: str = ""
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_frames = msgspec.json.Decoder(_Frame)
_encoder = msgspec.json.Encoder()


@structs.frozen
class TooLong:
    """A line that was too long to keep: its first kilobyte and its last."""

    ends: bytes


@structs.define
class LineSplitter:
    """Cuts a stream of bytes into lines. A line over `limit` bytes is dropped as it comes, but for its beginning."""

    limit: int = MAX_LINE
    _beginning: bytes = b""
    _parts: list[bytes] = attrs.field(factory=list[bytes])
    _held: int = 0
    _dropping: bool = False

    def feed(self, data: bytes) -> Iterator[bytes | TooLong]:
        """The lines that `data` completes, without their ends."""
        first, *rest = data.split(b"\n")
        self._hold(first)
        for piece in rest:
            yield self._take()
            self._hold(piece)

    def end(self) -> bytes | TooLong:
        """What was there of a last line when the stream ended; empty if nothing."""
        return self._take()

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        self._parts += [piece] if piece else []
        if self._held > self.limit:
            whole = b"".join(self._parts)
            if not self._dropping:
                self._beginning = whole[:LOOKED_AT]
            self._dropping = True
            self._parts = [whole[-LOOKED_AT:]]

    def _take(self) -> bytes | TooLong:
        whole = b"".join(self._parts)
        line = TooLong(self._beginning + whole) if self._dropping else whole
        self._parts.clear()
        self._held = 0
        self._dropping = False
        return line


def parse(line: bytes | TooLong) -> Message | None:
    """The message in a line; None if it is blank."""
    if isinstance(line, TooLong):
        return _unread(line.ends, f"the line is longer than {MAX_LINE} bytes")
    try:
        line.decode()  # what is carried on unread must be Unicode too
        return _classify(_frames.decode(line))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _second_look(line)


def _classify(frame: _Frame) -> Message:
    if frame.jsonrpc != "2.0":
        return _no_request(frame.id, 'jsonrpc must be "2.0"')
    if isinstance(frame.method, str):
        if frame.id is msgspec.UNSET:
            return Notification(frame.method, frame.params)
        if frame.id is None:
            return _no_request(None, "id must be a string or an integer")
        return Request(frame.id, frame.method, frame.params)
    if isinstance(frame.id, str | int) and frame.result is not frame.error:
        return Response(
            frame.id, None if isinstance(frame.result, msgspec.UnsetType) else frame.result
        )
    return _no_request(frame.id, "neither a request nor an answer")


def _second_look(line: bytes) -> Message | None:
    """A line that the fast reader refused: blank, repairable, not JSON, or JSON of another shape."""
    text = line.strip().removeprefix(_BOM)
    if not text:
        return None
    try:
        value: object = json.loads(text.decode(), parse_constant=_no_constant)
        whole = _whole_pairs(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError) as fault:
        return _unread(text, f"not JSON: {_short(fault)}")
    try:
        return _classify(_frames.decode(whole))
    except (msgspec.MsgspecError, RecursionError) as fault:
        return _misshapen(value, _short(fault))


def _unread(text: bytes, why: str) -> Fault:
    """A line that cannot be read as a whole; whom to answer may stand at its beginning."""
    id_ = outer_members(text).get("id")
    if id_ is None:
        why += (
            f"; in its first and last {LOOKED_AT} bytes it has no id that this answer could carry"
        )
    return Fault(id_, PARSE_ERROR, why)


def _misshapen(value: object, why: str) -> Fault:
    if isinstance(value, list):
        return _no_request(None, "batches are not taken; send one message a line")
    if not isinstance(value, dict):
        return _no_request(None, "not an object")
    found: object = cast("dict[str, Any]", value).get("id")
    is_id = isinstance(found, str | int) and not isinstance(found, bool)
    return _no_request(repaired(found) if isinstance(found, str) else found if is_id else None, why)


def _no_request(id_: object, why: str) -> Fault:
    known = id_ if isinstance(id_, str | int) else None
    return Fault(known, INVALID_REQUEST, f"not a JSON-RPC request: {why}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _whole_pairs(text: str) -> bytes:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _short(fault: Exception) -> str:
    return repaired(str(fault))[:200] or type(fault).__name__


def repaired(text: str) -> str:
    """The text with every lone surrogate replaced, so that it can be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _whole_pairs(text).decode()
    return text


def line_of(message: dict[str, Any]) -> bytes:
    """One message as a line with its end. The message must hold JSON values and raw JSON only."""
    try:
        return _encoder.encode(message) + b"\n"
    except UnicodeEncodeError:
        return _whole_pairs(json.dumps(_plain(message), ensure_ascii=False)) + b"\n"


def _plain(value: object) -> Any:
    """The value without raw JSON in it."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    return value


def answer(id_: Id, result: dict[str, Any] | msgspec.Raw) -> bytes:
    return line_of({"jsonrpc": "2.0", "id": id_, "result": result})


def error(id_: Id | None, code: int, message: str, data: object = None) -> bytes:
    body: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return line_of({"jsonrpc": "2.0", "id": id_, "error": body})


def request(id_: Id, method: str) -> bytes:
    return line_of({"jsonrpc": "2.0", "id": id_, "method": method})


def notice(method: str, params: dict[str, Any] | None = None) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        body["params"] = params
    return line_of(body)
