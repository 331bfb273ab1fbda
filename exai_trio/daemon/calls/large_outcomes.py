"""An outcome that no frame to its client holds: it is kept in a file, and the client is told where. All others pass as they are."""

from pathlib import Path

import trio

from exai_trio.errors import TooLargeError
from exai_trio.system.private_files import replace_private
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ANSWER_TOO_LARGE, CallFailed, CallResult

from ..delivery.sender import Mail
from .execution import Call, Outcome, failure_of

_LONGEST_CHARACTER = 6  # bytes: \u0000
FRAME_BYTES = 1_024  # beside texts and metadata


async def fitting(call: Call, outcome: Outcome, mail: Mail) -> Outcome:
    """The outcome if a frame holds it; else OVER_CAPACITY with the file that has its text. Cancelling waits for the write."""
    if isinstance(outcome, CallFailed) or not is_too_large(outcome, mail):
        return outcome
    text = "\n".join(output.text for output in outcome.outputs)
    path = call.shared.config.home / "files" / f"answer-{call.call_id}.txt"
    kept = await _kept(call, path, text)
    why = (
        f"the call ran, but its answer of {len(text)} characters is larger than the {mail.max_frame} bytes that a message to"
        f" this client may have (EXAI_WS_MAX_BYTES). {kept}"
    )
    details = {"reason": ANSWER_TOO_LARGE, "characters": len(text), "path": str(path)}
    return failure_of(call, TooLargeError(why, details=details))


def is_too_large(outcome: CallResult, mail: Mail) -> bool:
    """A client of protocol 1 is told every text twice."""
    times = 1 if mail.rules.resumable else 2
    most = mail.max_frame - FRAME_BYTES
    characters = times * sum(len(output.text) for output in outcome.outputs)
    return (
        characters * _LONGEST_CHARACTER > most - FRAME_BYTES
        and times * len(encode(outcome).encode()) > most
    )


async def _kept(call: Call, path: Path, text: str) -> str:
    """What the client is told of the file."""
    try:
        await trio.to_thread.run_sync(
            replace_private, path, text.encode(), limiter=call.shared.services.files.limiter
        )
    except OSError as fault:
        return f"It could not be kept either: {path} cannot be written ({fault.strerror})"
    return f"All of it is in {path} on the daemon's machine: read it there, or ask for less"
