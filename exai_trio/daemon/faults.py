"""From any exception to the fault that travels. Pure: no trio, no clock, no I/O."""

from typing import cast

from msgspec import UNSET

from exai_trio.errors import ExaiError, InternalError
from exai_trio.wire.messages import Fault


def as_fault(error: ExaiError, correlation_id: str) -> Fault:
    return Fault(
        code=error.code,
        message=error.message,
        category=error.category,
        retryable=error.retryable,
        correlation_id=correlation_id,
        retry_after_s=UNSET if error.retry_after_s is None else error.retry_after_s,
        details=error.details or UNSET,
    )


def known_error(raised: Exception, correlation_id: str) -> ExaiError:
    """The error of ours that `raised` is or holds; otherwise an InternalError that names the log's id."""
    if isinstance(raised, ExaiError):
        return raised
    if isinstance(raised, ExceptionGroup):
        held = cast("ExceptionGroup[Exception]", raised).exceptions
        found = [known_error(inner, correlation_id) for inner in held]
        ours = [error for error in found if not isinstance(error, InternalError)]
        if ours:
            return ours[0]
    return InternalError(
        f"EXAI failed in a way it did not expect; its log tells more under {correlation_id}."
        " Try again, and report it if it comes back"
    )
