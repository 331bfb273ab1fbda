"""The frames of a terminal's WebSocket: what a client says, and how the daemon answers. Pure: no trio, no clock, no I/O.

A client's frame is {type, sessionId?, data?, metadata?}; what a type needs may stand in `data` or beside it. The daemon's texts are
flat: {op, …}. Output is binary: eight bytes of offset, big endian, then the bytes.
"""

import base64
import binascii
import re
from typing import Annotated, Any, Final, Literal, TypeVar, cast

import attrs
import msgspec
from msgspec import Meta

from exai_trio import structs

from .terminal_errors import TerminalError

PATH: Final = "/terminal"
MOST_BYTES: Final = 1_048_576  # of one frame
_SESSION_ID: Final = re.compile(r"session_\d{10,16}_[a-z0-9]{6,32}")
_PROJECT_ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)

Name = Annotated[str, Meta(max_length=80)]
Word = Annotated[str, Meta(max_length=131_072)]
SessionType = Literal["system", "claude"]
Mode = Literal["rw", "ro"]


@structs.frozen(kw_only=True)
class Credential:
    """What a first frame shows; `session` is a page's."""

    token: str | None = None
    jwt: str | None = None
    session: str | None = None


@structs.frozen(kw_only=True)
class Attach(Credential):
    """`hello`: the first frame of an attachment. Without `offset` the output begins where the keeper's does."""

    session_id: str
    client_id: Annotated[str, Meta(min_length=1, max_length=128)]
    project_id: str | None = None
    offset: int | None = None
    cols: int = 80
    rows: int = 24
    mode: Mode = "rw"


@structs.frozen(kw_only=True)
class Create(Credential):
    """A first frame that wants a new session; `command` is what it runs, if that is not its type's."""

    type: SessionType = "system"
    tab_name: Name = ""
    project_path: Annotated[str, Meta(max_length=4096)] | None = None
    project_id: str | None = None
    command: Annotated[list[Word], Meta(max_length=4096)] = attrs.field(factory=list[str])
    cols: int = 80
    rows: int = 24


@structs.frozen(kw_only=True)
class ListSessions(Credential):
    """A first frame that wants to know which sessions there are."""


@structs.frozen(kw_only=True)
class Rename(Credential):
    """A first frame that gives a session another name."""

    session_id: str
    tab_name: Name


@structs.frozen(kw_only=True)
class Kill(Credential):
    """A first frame that ends a session and all that it has started."""

    session_id: str


@structs.frozen(kw_only=True)
class Input:
    """`text` is typed; its number counts from 1."""

    text: bytes
    sequence: int


@structs.frozen(kw_only=True)
class Resize:
    """`redraw` wants the program to draw all again, also in the same size."""

    cols: int
    rows: int
    redraw: bool = False


@structs.frozen(kw_only=True)
class Clear:
    """Later attachments begin here."""


@structs.frozen(kw_only=True)
class Reconnect:
    """Output is to go on at this offset."""

    offset: int


@structs.frozen(kw_only=True)
class Acknowledge:
    """All output before the offset is shown; `exited`: and the exit is known."""

    offset: int
    exited: bool = False


@structs.frozen(kw_only=True)
class SendSignal:
    """For the program in the foreground."""

    name: str


Kind = TypeVar("Kind")
First = Attach | Create | ListSessions | Rename | Kill
Later = Input | Resize | Clear | Reconnect | Acknowledge | SendSignal
_FIRST: Final[dict[str, type[First]]] = {
    "hello": Attach,
    "create": Create,
    "list": ListSessions,
    "rename": Rename,
    "kill": Kill,
}
_LATER: Final[dict[str, type[Later]]] = {
    "resize": Resize,
    "clear": Clear,
    "reconnect": Reconnect,
    "ack": Acknowledge,
    "signal": SendSignal,
}


def is_session_id(text: str) -> bool:
    """Whether the whole text is an id; the ids of other systems, with a project behind, are none."""
    return _SESSION_ID.fullmatch(text) is not None


def is_project_id(text: str) -> bool:
    """Whether it is a UUID of version 4."""
    return _PROJECT_ID.fullmatch(text) is not None


def read_first(frame: str | bytes) -> First:
    """A client's first frame. Raises TerminalError."""
    kind, fields = _read(frame)
    if kind not in _FIRST:
        raise _wrong(f"the first frame must be one of {', '.join(_FIRST)}")
    return _converted(fields, _FIRST[kind])


def read_later(frame: str | bytes, session_id: str) -> Later:
    """A frame of a client that is attached to this session. Raises TerminalError."""
    kind, fields = _read(frame)
    named = fields.get("sessionId", session_id)
    if named != session_id:
        raise _wrong("this connection is attached to another session")
    if kind in ("input", "command"):
        return _input(fields, b"\n" if kind == "command" else b"")
    if kind == "hello":
        raise _wrong("hello was already said on this connection")
    if kind not in _LATER:
        raise _wrong(f"type must be input, command, {', '.join(_LATER)}")
    return _converted(fields, _LATER[kind])


def told(op: str, **fields: Any) -> str:
    """A text of the daemon's, as it is sent."""
    return msgspec.json.encode({"op": op, **fields}).decode()


def said(kind: str, **fields: Any) -> str:
    """A client's frame, as it is sent."""
    return msgspec.json.encode({"type": kind, **fields}).decode()


def typed(text: bytes, sequence: int) -> str:
    """A client's input, as it is sent."""
    try:
        data: object = text.decode()
    except UnicodeDecodeError:
        data = {"base64": base64.b64encode(text).decode()}
    return said("input", data=data, metadata={"sequence": sequence})


def heard(frame: str) -> dict[str, Any]:
    """What the daemon tells. Raises TerminalError for what is none of its texts."""
    try:
        found = msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise TerminalError("CONNECTION_ERROR", "the daemon sent what cannot be read") from fault
    return found


def _read(frame: str | bytes) -> tuple[str, dict[str, Any]]:
    """The type, and the fields of the frame and of its data."""
    if isinstance(frame, bytes):
        raise _wrong("a client's frames are texts")
    try:
        fields = msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise _wrong("the frame is no JSON object") from fault
    kind, data = fields.get("type"), fields.get("data")
    if not isinstance(kind, str):
        raise _wrong("the frame has no type")
    if kind == "create":  # whose type is a field
        fields = {name: value for name, value in fields.items() if name != "type"}
    return kind, fields if kind in ("input", "command") else {**fields, **_object(data)}


def _converted(fields: dict[str, Any], kind: type[Kind]) -> Kind:
    try:
        return msgspec.convert(fields, kind)
    except (msgspec.ValidationError, RecursionError) as fault:
        raise _wrong(str(fault)) from fault


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _input(fields: dict[str, Any], behind: bytes) -> Input:
    sequence = (_object(fields.get("metadata")) or fields).get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 < sequence < 2**63:
        raise _wrong("input needs metadata.sequence, a number from 1 on")
    return Input(text=_bytes(fields.get("data")) + behind, sequence=sequence)


def _bytes(data: object) -> bytes:
    match data:
        case str():
            try:
                return data.encode()
            except UnicodeEncodeError as fault:
                raise _wrong("data is no text that can be sent") from fault
        case {"base64": str(text)}:
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as fault:
                raise _wrong("data.base64 is no base64") from fault
        case _:
            raise _wrong("input needs data: a text, or {base64}")


def _wrong(message: str) -> TerminalError:
    return TerminalError("INVALID_REQUEST", message)
