"""What a request must say of itself before it is heard, by the rules of both eras of MCP. Pure: no I/O."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from exai_trio import structs
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.params import as_object, own_key
from exai_trio.mcp.versions import (
    HANDSHAKE_VERSIONS,
    STATELESS_VERSIONS,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    unsupported,
)

HEADER_MISMATCH: Final = -32020
DEFAULT_VERSION: Final = "2025-03-26"  # of who names none in a header
RESUMABLE_FROM: Final = "2025-11-25"  # the first event has an id and no data
BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, NOT_ACCEPTABLE = 400, 404, 405, 406
TOO_LARGE, NOT_SUPPORTED = 413, 415
VERSION_HEADER: Final = "mcp-protocol-version"
_SHOWN: Final = 40  # characters of a wrong value
_IN_BASE64: Final = re.compile(r"=\?base64\?(.*)\?=")
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
# Faults of a stateless request that HTTP has a status for; all others are answers.
_STATUSES: Final = {
    jsonrpc.METHOD_NOT_FOUND: NOT_FOUND,
    jsonrpc.INVALID_REQUEST: BAD_REQUEST,
    jsonrpc.INVALID_PARAMS: BAD_REQUEST,
    jsonrpc.PARSE_ERROR: BAD_REQUEST,
    HEADER_MISMATCH: BAD_REQUEST,
    UNSUPPORTED_VERSION: BAD_REQUEST,
}


@structs.define(eq=False)
class BadRequest(Exception):
    """Nothing was done: an HTTP status, and a JSON-RPC fault for the body."""

    status: int
    text: str
    id: Id | None = None
    code: int = jsonrpc.INVALID_REQUEST
    data: object = None

    @property
    def body(self) -> bytes:
        return jsonrpc.error(self.id, self.code, self.text, self.data)


class _Head(msgspec.Struct):
    """Of a message, what headers may repeat."""

    id: Any = None
    method: Any = None
    params: Any = None


_heads = msgspec.json.Decoder(_Head)
_FAULTS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


@structs.frozen
class Head:
    """`version` is in the body's `_meta`, "" if it is not; `name` is what the request is about, of those that are about something;
    `has_key`: it is a call that its client can ask for again."""

    id: Id | None
    method: str
    version: str
    name: str | None
    has_meta_version: bool
    has_key: bool


def read_head(body: bytes) -> Head:
    """Raises BadRequest if it is not one JSON object."""
    try:
        found = _heads.decode(body)
    except _FAULTS as fault:
        text = f"the body is not one message: {fault}"
        raise BadRequest(BAD_REQUEST, text, code=_code_of(body)) from None
    params = as_object(found.params)
    meta = as_object(params.get("_meta"))
    version = meta.get(VERSION_KEY)
    method = found.method if isinstance(found.method, str) else ""
    about = params.get(_NAMED.get(method, ""))
    id_ = found.id if isinstance(found.id, str | int) and not isinstance(found.id, bool) else None
    return Head(
        id=id_,
        method=method,
        version=version if isinstance(version, str) else "",
        name=about if isinstance(about, str) else None,
        has_meta_version=version is not None,
        has_key=own_key(meta) is not None,
    )


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """By their names in lower case, as servers give them; of one that comes twice, the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}


def _code_of(body: bytes) -> int:
    """Whether it is no JSON, or JSON of another kind."""
    found = jsonrpc.parse(body)
    if found is None:
        return jsonrpc.PARSE_ERROR
    return found.code if isinstance(found, jsonrpc.Fault) else jsonrpc.INVALID_REQUEST


def check_types(headers: Mapping[str, str], *, posts: bool) -> None:
    """Content-Type and Accept. Raises BadRequest."""
    if posts and _media(headers.get("content-type", "")) != _JSON:
        raise BadRequest(NOT_SUPPORTED, f"Content-Type must be {_JSON}")
    accepted = {_media(part) for part in headers.get("accept", "").split(",")}
    wanted = (_JSON, _EVENTS) if posts else (_EVENTS,)
    if not all({kind, f"{kind.partition('/')[0]}/*", "*/*"} & accepted for kind in wanted):
        text = f"Accept must name {' and '.join(wanted)}"
        raise BadRequest(NOT_ACCEPTABLE, text)


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def is_stateless(headers: Mapping[str, str], head: Head) -> bool:
    """Which era a message is of. Raises BadRequest for a version by header that is not spoken in any."""
    told = headers.get(VERSION_HEADER, "")
    if told in STATELESS_VERSIONS or head.has_meta_version:
        return True
    if told and told not in HANDSHAKE_VERSIONS:
        raise _unspoken(told[:_SHOWN], head)
    return False


def check_stateless(headers: Mapping[str, str], head: Head) -> None:
    """`_meta`, and the headers that repeat the body. Raises BadRequest."""
    if not head.has_meta_version:
        text = f"params._meta lacks {VERSION_KEY}"
        raise BadRequest(BAD_REQUEST, text, head.id, jsonrpc.INVALID_PARAMS)
    if headers.get(VERSION_HEADER) != head.version:
        raise _mismatch(head, "MCP-Protocol-Version is not the version of the body")
    if headers.get("mcp-method") != head.method:
        raise _mismatch(head, "Mcp-Method is not the method of the body")
    if head.name is not None and not _says(headers.get("mcp-name", ""), head.name):
        raise _mismatch(head, "Mcp-Name is not the name in the body")
    if head.version not in STATELESS_VERSIONS:
        raise _unspoken(head.version[:_SHOWN], head)
    if head.method == "initialize":
        text = "there is no initialize in this version"
        raise BadRequest(NOT_FOUND, text, head.id, jsonrpc.METHOD_NOT_FOUND)


def _says(value: str, name: str) -> bool:
    """Whether a header says this; in base64, where HTTP could not carry it."""
    found = _IN_BASE64.fullmatch(value)
    if found is None:
        return value == name
    return bool(found[1] == base64.b64encode(name.encode()).decode())


def _unspoken(version: str, head: Head) -> BadRequest:
    text = f"protocol version {version!r} is not spoken here"
    return BadRequest(BAD_REQUEST, text, head.id, UNSUPPORTED_VERSION, unsupported(version))


def _mismatch(head: Head, text: str) -> BadRequest:
    return BadRequest(BAD_REQUEST, text, head.id, HEADER_MISMATCH)


def version_of(headers: Mapping[str, str]) -> str:
    """Of a request within a session."""
    return headers.get(VERSION_HEADER, DEFAULT_VERSION)


def status_of(code: int) -> int:
    """The HTTP status of a stateless answer with this fault; 0 is none."""
    return _STATUSES.get(code, 200)
