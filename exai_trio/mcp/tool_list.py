"""A tool list as it is told and kept: its JSON and its hash. Pure: no I/O."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from exai_trio import structs

_TOLD: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_encoder = msgspec.json.Encoder()


@structs.frozen
class Listing:
    """Equal hashes mean equal lists."""

    tools: msgspec.Raw
    hash: str


@structs.frozen
class _Kept:
    hash: str
    tools: list[dict[str, Any]]


_kept = msgspec.json.Decoder(_Kept)


def listing_of(tools: Iterable[Mapping[str, Any]]) -> Listing | None:
    """The listing of these tools, in their order; None if there is none, since nobody is to be told of an empty list."""
    told = [{key: tool[key] for key in _TOLD if key in tool} for tool in tools if tool.get("name")]
    if not told:
        return None
    body = _encoder.encode(told)
    return Listing(msgspec.Raw(body), hashlib.sha256(body).hexdigest())


def to_file(listing: Listing) -> bytes:
    return _encoder.encode({"hash": listing.hash, "tools": listing.tools})


def from_file(content: bytes) -> Listing | None:
    """The listing that was kept; None if the content is cut, changed or not ours."""
    try:
        kept = _kept.decode(content)
        listing = listing_of(kept.tools)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # audit: empty-handler, because None is the answer: cut, changed or not ours
        return None
    return listing if listing is not None and listing.hash == kept.hash else None
