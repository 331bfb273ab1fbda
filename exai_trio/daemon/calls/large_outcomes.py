"""An outcome that no frame to its client holds: it is kept in a file, and the client is told where.

All others pass as they are.
"""

from pathlib import Path

import trio

from exai_trio.errors import TooLargeError
from exai_trio.system.private_files import replace_private
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ANSWER_TOO_LARGE, CallFailed, CallResult, Outcome

from .call import Call
from .execution import Work, failure_of
from .payload_references import by_reference
from .session_calls import SessionCalls

_LONGEST_CHARACTER = 6  # bytes: \u0000
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
    kept = await _kept(call, path, text)
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
        characters * _LONGEST_CHARACTER > room - FRAME_BYTES
        and len(encode(outcome).encode()) > room
    )


async def _kept(call: Call, path: Path, text: str) -> str:
    """What the client is told of the file."""
    try:
        await trio.to_thread.run_sync(
            replace_private, path, text.encode(), limiter=call.environment.services.files.limiter
        )
    except OSError as fault:
        return f"It could not be kept either: {path} cannot be written ({fault.strerror})"
    return f"All of it is in {path} on the daemon's machine: read it there, or ask for less"
