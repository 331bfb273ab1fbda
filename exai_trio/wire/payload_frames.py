"""Large results on the wire: the reference in a result, and the binary frames that bring its pieces. Pure: no trio, no clock, no I/O.

A frame of a piece is a JSON line, a newline, and bytes of the plain text. A piece begins at a multiple of PIECE_BYTES and is so long,
but for the last one; who asks from within one gets the rest of it.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from exai_trio import structs

from .codec import WireError
from .messages import PAYLOAD_REF, CallResult, RequestId, TransactionId

PIECE_BYTES: Final = 262_144
INLINE_BYTES: Final = 1_048_576  # a text that is longer goes by reference
HEAD_CHARACTERS: Final = 4_000  # of the text, beside the reference
MOST_UNANSWERED: Final = 4
_LONGEST_HEADER: Final = 4_096


@structs.frozen(kw_only=True)
class PayloadRef:
    """Where the whole text of a result is. Sizes are bytes, of the text and of what is stored; `sha256` is of the text, and there unless
    MESSAGE_BUS_CHECKSUM_ENABLED is false."""

    transaction_id: TransactionId
    size: Annotated[int, Meta(ge=0)]
    stored_size: int
    compression: str
    sha256: str | UnsetType = UNSET
    expires_at: str


@structs.frozen(kw_only=True)
class Payload:
    """The line at the beginning of a binary frame; behind it are bytes of the result from `offset` on, at most 262,144 of them."""

    request_id: RequestId
    offset: Annotated[int, Meta(ge=0)]
    last: bool
    op: Literal["payload"] = "payload"


@structs.frozen
class Piece:
    """A binary frame as it came."""

    about: Payload
    data: bytes


def reference_in(result: CallResult) -> PayloadRef | None:
    """The reference that stands for its text. Raises WireError for one that is none."""
    metadata = result.outputs[0].metadata if len(result.outputs) == 1 else UNSET
    found: Any = metadata.get(PAYLOAD_REF) if isinstance(metadata, dict) else None
    if found is None:
        return None
    try:
        return msgspec.convert(found, PayloadRef)
    except msgspec.ValidationError as fault:
        raise WireError(f"{PAYLOAD_REF}: {fault}", request_id=result.request_id) from fault


def encode_piece(about: Payload, data: bytes) -> bytes:
    return b"%b\n%b" % (msgspec.json.encode(about), data)


def decode_piece(frame: bytes) -> Piece:
    """Raises WireError."""
    end = frame.find(b"\n", 0, _LONGEST_HEADER)
    if end < 0:
        raise WireError("a binary frame does not begin with a line")
    try:
        about = msgspec.json.decode(frame[:end], type=Payload)
    except (msgspec.MsgspecError, UnicodeError) as fault:
        raise WireError(f"payload: {fault}", op="payload") from fault
    return Piece(about, frame[end + 1 :])
