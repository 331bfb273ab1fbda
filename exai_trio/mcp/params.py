"""What we read in the params of an MCP message; everything else in them is left alone. Pure: no trio, no clock, no I/O."""

from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

import msgspec

from exai_trio import structs

from .jsonrpc import Id
from .versions import CLIENT_KEY, Dialect

_MAX_KEY: Final = 256  # characters of a client's own key; longer ones are no keys
_EMPTY: Final = b"{}"
_NOTHING: Final = msgspec.Raw(_EMPTY)
_T = TypeVar("_T")


@structs.frozen(kw_only=True)
class Call:
    """A tools/call, or a request that a tool of the daemon answers (`method`). `key` is the client's own name for the call, if it gave one; `token` asks for progress."""

    id: Id
    name: str
    arguments: msgspec.Raw
    dialect: Dialect
    client: str = ""
    key: str | None = None
    token: Id | None = None
    trace: str | None = None
    method: str = "tools/call"


class _Params(msgspec.Struct):  # decoded on every call; Struct is what lets a field be called _meta
    name: str | msgspec.UnsetType = msgspec.UNSET
    arguments: msgspec.Raw = _NOTHING
    meta: dict[str, Any] | None = msgspec.field(name="_meta", default=None)


class Params(msgspec.Struct):
    """The fields that any method but tools/call may have."""

    meta: dict[str, Any] | None = msgspec.field(name="_meta", default=None)
    version: Any = msgspec.field(name="protocolVersion", default=None)
    capabilities: Any = None
    client: Any = msgspec.field(name="clientInfo", default=None)
    notifications: Any = None
    request_id: Any = msgspec.field(name="requestId", default=None)


class Wish(msgspec.Struct):
    """The params of requests about prompts, resources and completion, as they came."""

    name: Any = None
    arguments: Any = None
    uri: Any = None
    ref: Any = None
    argument: Any = None


class _Roots(msgspec.Struct):
    roots: list[dict[str, Any]]


_params = msgspec.json.Decoder(_Params)
_others = msgspec.json.Decoder(Params)
_wishes = msgspec.json.Decoder(Wish)
_roots = msgspec.json.Decoder(_Roots)
_text_decoder = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder()
_FAULTS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class BadParams(Exception):
    """The params are not what the method needs; the text says why."""


def _decoded(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw) -> _T:
    """The params; left out or null, they are empty. Raises BadParams."""
    given = bytes(raw)
    try:
        return decoder.decode(_EMPTY if given in {b"", b"null"} else given)
    except _FAULTS as fault:
        raise BadParams(str(fault)) from fault


def read(raw: msgspec.Raw) -> Params:
    """Raises BadParams if the params are not an object, or their `_meta` is not."""
    return _decoded(_others, raw)


def read_wish(raw: msgspec.Raw) -> Wish:
    """Raises BadParams if the params are not an object, or their arguments are not texts by name."""
    wish = _decoded(_wishes, raw)
    arguments = as_object(wish.arguments)
    if wish.arguments is not None and arguments is not wish.arguments:
        raise BadParams("arguments must be an object")
    if not all(isinstance(value, str) for value in arguments.values()):
        raise BadParams("arguments of a prompt are texts")
    return wish


def as_object(value: object) -> dict[str, Any]:
    """The value, if it is an object; else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def read_call(raw: msgspec.Raw) -> tuple[str, msgspec.Raw, dict[str, Any]]:
    """Name, arguments and `_meta` of a tools/call. Raises BadParams."""
    found = _decoded(_params, raw)
    if not isinstance(found.name, str) or not found.name:
        raise BadParams("name is missing")
    return found.name, _object_of(bytes(found.arguments)), found.meta or {}


def _object_of(arguments: bytes) -> msgspec.Raw:
    """A call's arguments: null is none, and a text may hold the object. Raises BadParams."""
    if arguments[:1] == b'"':
        arguments = _text_decoder.decode(arguments).strip().encode()
        if not _is_json(arguments):
            raise BadParams("arguments must be an object")
    if arguments == b"null":
        return _NOTHING
    if arguments[:1] != b"{":
        raise BadParams("arguments must be an object")
    return msgspec.Raw(arguments)


def _is_json(text: bytes) -> bool:
    try:
        _any.decode(text)
    except _FAULTS:  # audit: empty-handler, because that it is no JSON is the answer
        return False
    return True


def token_of(meta: dict[str, Any]) -> Id | None:
    """The progress token, if there is one that can be echoed."""
    return as_id(meta.get("progressToken"))


def as_id(value: object) -> Id | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def trace_of(meta: dict[str, Any]) -> str | None:
    """The W3C traceparent; its own grammar keeps it short."""
    value = meta.get("traceparent")
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_KEY else None


def own_key(meta: dict[str, Any]) -> str | None:
    """What the client itself calls this call, the same again if it sends the call again."""
    key = _text(meta.get("claudecode/toolUseId"))
    if key is not None:
        return key
    call = _text(meta.get("callId"))
    thread = _thread(meta) if call is not None else None
    return None if thread is None else f"{thread}:{call}"


def _thread(meta: dict[str, Any]) -> str | None:
    """The conversation that a Codex call id is unique in; the metadata is an object, or one written as a string."""
    turn: object = meta.get("x-codex-turn-metadata")
    if isinstance(turn, str):
        try:
            turn = msgspec.json.decode(turn)
        except _FAULTS:
            # audit: empty-handler, because metadata of another kind name no conversation
            return None
    named = cast("dict[str, object]", turn) if isinstance(turn, dict) else {}
    for name in ("thread_id", "threadId", "thread", "session_id", "sessionId", "session"):
        thread = _text(named.get(name)) or _text(meta.get(name))
        if thread is not None:
            return thread
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_KEY else None


def client_name(info: object) -> str:
    if not isinstance(info, dict):
        return ""
    name = cast("dict[str, object]", info).get("name")
    return name[:_MAX_KEY] if isinstance(name, str) else ""


def client_of(meta: dict[str, Any]) -> str:
    return client_name(meta.get(CLIENT_KEY))


def paths_of(result: msgspec.Raw) -> list[str] | None:
    """The directories in an answer to roots/list; None if it is none. Roots that are no local files are left out; bytes of a
    name that are not UTF-8 are lone surrogates, as Python has them everywhere."""
    try:
        found = _roots.decode(result)
    except _FAULTS:  # audit: empty-handler, because None is the answer: no list of roots
        return None
    paths = [_path(root.get("uri")) for root in found.roots]
    return [path for path in paths if path]


def _path(uri: object) -> str:
    if not isinstance(uri, str):
        return ""
    try:
        parts = urlsplit(uri)
    except ValueError:  # audit: empty-handler, because what is no address is no path
        return ""
    # audit: host, because a file URL names this machine so
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return unquote(parts.path, errors="surrogateescape") if local else ""
