"""A long outcome: by reference, where its client can fetch it in pieces; in a file, where no frame to its client holds it.

The call has run in any case. What the message bus cannot keep goes as it is, unless FALLBACK_TO_WEBSOCKET is false. All others pass
as they are.
"""

import logging
from pathlib import Path
from typing import Final

import attrs
import msgspec
import trio
from msgspec import UNSET

from exai_trio.bus.message_bus import MessageBus
from exai_trio.bus.pieces import byte_length
from exai_trio.errors import ServiceUnavailableError, StorageError, TooLargeError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.contracts.stored_payloads import StoredPayload
from exai_trio.system.private_files import replace_private
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import (
    ANSWER_NOT_KEPT,
    ANSWER_TOO_LARGE,
    PAYLOAD_REF,
    CallFailed,
    CallResult,
    Outcome,
    Output,
)
from exai_trio.wire.payload_frames import (
    HEAD_CHARACTERS,
    INLINE_BYTES,
    PayloadRef,
    reference_in,
)

from .call import Call
from .execution import Work, failure_of
from .session_calls import SessionCalls
from .states import State

log = logging.getLogger("exai.bus")

_LONGEST_CHARACTER: Final = 4  # bytes of UTF-8
_LONGEST_ESCAPE = 6  # bytes: \u0000
FRAME_BYTES = 1_024  # beside texts and metadata


async def fitting(work: Work, call: Call) -> Outcome:
    """What comes of the work, by reference where that can be, if a frame holds it; else OVER_CAPACITY with the file that has its text.
    Raises what `work` raises. Cancelling waits for the file's write."""
    outcome = await work(call)
    if isinstance(outcome, CallResult):
        outcome = await by_reference(call, outcome)
    most = most_for(call)
    if isinstance(outcome, CallFailed) or not is_too_large(outcome, most):
        return outcome
    text = "\n".join(output.text for output in outcome.outputs)
    path = call.context.config.home / "files" / f"answer-{call.call_id}.txt"
    kept = await in_file(path, text, call.environment.services.files.limiter)
    why = (
        f"the call ran, but its answer of {len(text)} characters is larger than the {most} bytes that a message to this"
        f" client may have (EXAI_WS_MAX_BYTES). {kept}"
    )
    details = {"reason": ANSWER_TOO_LARGE, "characters": len(text), "path": str(path)}
    return failure_of(call, TooLargeError(why, details=details))


def most_for(call: Call) -> int:
    """Bytes that a message may have to whom it answers; a client of protocol 1 is told every text twice."""
    if isinstance(call.recipient, SessionCalls):
        sender = call.recipient.sender
        return sender.max_frame // (1 if sender.rules.resumable else 2)
    return call.context.config.ws_max_bytes


def is_too_large(outcome: CallResult, most: int) -> bool:
    characters = sum(len(output.text) for output in outcome.outputs)
    room = most - FRAME_BYTES
    return (
        characters * _LONGEST_ESCAPE > room - FRAME_BYTES and len(encode(outcome).encode()) > room
    )


async def in_file(path: Path, text: str, limiter: trio.CapacityLimiter) -> str:
    """What the client is told of the file that has its text. Cancelling waits for the write."""
    try:
        await trio.to_thread.run_sync(replace_private, path, text.encode(), limiter=limiter)
    except OSError as fault:
        return f"It could not be kept either: {path} cannot be written ({fault.strerror})"
    return f"All of it is in {path} on the daemon's machine: read it there, or ask for less"


async def by_reference(call: Call, outcome: CallResult) -> Outcome:
    """The result with a reference in the place of a long text, where whoever hears of it can fetch that; else with the text, also if it
    came here as a reference. Raises what the bus raises of one that is to be read. Cancelling leaves nothing that can be asked for."""
    bus = call.environment.bus
    if bus is None:
        return outcome
    ref = reference_in(outcome)
    if ref is not None:
        return outcome if _takes_references(call) else await _whole(bus, call, outcome, ref)
    if not (call.context.config.message_bus_enabled and _takes_references(call)):
        return outcome
    size = await _size_of_long(outcome)
    return outcome if size is None else await _kept(bus, call, outcome, size)


def _takes_references(call: Call) -> bool:
    """Under a handle the outcome is told to whoever asks for it later; a successor decides by itself. What this home alone has is of no
    use where another daemon may tell it."""
    if call.state is State.TRANSFERRED or call.context.config.is_shared:
        return False
    if isinstance(call.recipient, SessionCalls):
        return PAYLOAD_REF in (call.request.accepts or ())
    return True


async def _size_of_long(outcome: CallResult) -> int | None:
    """The bytes of its text, if it is one that goes by reference."""
    if len(outcome.outputs) != 1:
        return None
    text = outcome.outputs[0].text
    if len(text) * _LONGEST_CHARACTER <= INLINE_BYTES:
        return None
    size = len(text) if text.isascii() else await trio.to_thread.run_sync(byte_length, text)
    return size if size > INLINE_BYTES else None


async def _kept(bus: MessageBus, call: Call, outcome: CallResult, size: int) -> Outcome:
    text = outcome.outputs[0].text
    try:
        stored = await bus.put(
            text,
            size,
            principal=call.principal,
            session=call.session_id,
            request=call.request_id,
        )
    except (StorageError, TooLargeError) as fault:
        return _not_kept(call, outcome, fault)
    return _with_text(outcome, text[:HEAD_CHARACTERS], {PAYLOAD_REF: _reference_to(stored)})


def _not_kept(call: Call, outcome: CallResult, fault: StorageError | TooLargeError) -> Outcome:
    log.warning("large result not kept", extra={"fault": fault.message})
    if call.context.config.fallback_to_websocket:
        return outcome
    why = f"the call ran, but its large result could not be kept: {fault.message}. FALLBACK_TO_WEBSOCKET is false, so it is not sent whole"
    kind = TooLargeError if isinstance(fault, TooLargeError) else ServiceUnavailableError
    error = kind(why, details={"reason": ANSWER_NOT_KEPT})
    return failure_of(call, error)


def _reference_to(stored: StoredPayload) -> dict[str, object]:
    ref = PayloadRef(
        transaction_id=stored.transaction_id,
        size=stored.size_bytes,
        stored_size=stored.stored_bytes,
        compression=stored.compression,
        sha256=stored.sha256 or UNSET,
        expires_at=rfc3339(stored.expires_at),
    )
    return msgspec.convert(msgspec.to_builtins(ref), dict[str, object])


async def _whole(bus: MessageBus, call: Call, outcome: CallResult, ref: PayloadRef) -> CallResult:
    stored = await bus.find(ref.transaction_id, call.principal)
    return _with_text(outcome, await bus.text(stored), {PAYLOAD_REF: UNSET})


def _with_text(outcome: CallResult, text: str, facts: dict[str, object]) -> CallResult:
    told = {**(outcome.outputs[0].metadata or {}), **facts}
    metadata = {name: value for name, value in told.items() if value is not UNSET}
    return attrs.evolve(outcome, outputs=[Output(text=text, metadata=metadata)])
