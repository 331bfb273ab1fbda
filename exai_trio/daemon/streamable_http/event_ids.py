"""The ids of events: each names the call that its stream is about, so that a later daemon can go on with it. Pure."""

import base64
from typing import Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.mcp.jsonrpc import Id

_LONGEST: Final = 2_000  # characters


@structs.frozen
class Place:
    """An event of the stream that answers the JSON-RPC request `id`: the call `key` of the tool `tool`, event `number`. After the one
    that `is_last` nothing comes."""

    key: str
    id: Id
    tool: str
    number: int
    is_last: bool = False


class _Written(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    key: str
    id: str | int
    tool: str
    number: int
    is_last: bool


_decoder = msgspec.json.Decoder(_Written)


def written(place: Place) -> str:
    told = msgspec.json.encode(_Written(*attrs.astuple(place)))
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def read(text: str) -> Place:
    """Raises ValueError if it is no event id of ours."""
    if len(text) > _LONGEST or not text.isascii():
        raise ValueError("no event id")
    try:
        found = _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except msgspec.MsgspecError as fault:
        raise ValueError("no event id") from fault
    if found.number < 0:
        raise ValueError("no event id")
    return Place(found.key, found.id, found.tool, found.number, found.is_last)
