"""Outcomes that wait for a client which takes smaller frames than the one they were made for: each is kept in a file instead."""

from typing import Final

from exai_trio.errors import TooLargeError
from exai_trio.wire.codec import decode_daemon
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import ANSWER_TOO_LARGE, CallFailed, CallResult, RequestId

from ..calls import large_outcomes
from ..delivery.wire_errors import as_fault
from .session import Session

_NUMBER_BYTES: Final = 32


async def fit_frames(session: Session, most: int) -> None:
    """What waits for the session's client fits frames of `most` bytes when this returns, and nobody else has had a turn since; what does
    not fit has become OVER_CAPACITY, which names the file that has its text. Cancelling waits for a file's write, and leaves the
    rest as it is."""
    session.sender.max_frame = most
    while (found := _first_too_large(session, most)) is not None:
        request_id, result = found
        failed = await _kept_in_a_file(session, request_id, result, most)
        if (
            session.rules.outcome_of(request_id) is not None
        ):  # not acknowledged and forgotten meanwhile
            session.sender.replace(request_id, failed)


def _first_too_large(session: Session, most: int) -> tuple[RequestId, CallResult] | None:
    room = most - _NUMBER_BYTES
    for request_id, body in session.rules.unacknowledged_outcomes():
        if len(body) * 4 > room and len(body.encode()) > room:
            outcome = decode_daemon(body).message
            if isinstance(outcome, CallResult):
                return request_id, outcome
    return None


async def _kept_in_a_file(
    session: Session, request_id: RequestId, result: CallResult, most: int
) -> CallFailed:
    text = "\n".join(output.text for output in result.outputs)
    path = session.context.config.home / "files" / f"answer-{handle_of(session.id, request_id)}.txt"
    limiter = session.environment.services.files.limiter
    where = await large_outcomes.in_file(path, text, limiter)
    why = (
        f"the call ran, but its answer of {len(text)} characters is larger than the {most} bytes that a message to this"
        f" client may have. {where}"
    )
    details = {"reason": ANSWER_TOO_LARGE, "characters": len(text), "path": str(path)}
    return CallFailed(
        request_id=request_id, error=as_fault(TooLargeError(why, details=details), "oversized")
    )
