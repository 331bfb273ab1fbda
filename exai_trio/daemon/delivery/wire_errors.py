"""From any exception to the fault that travels. Pure: no trio, no clock, no I/O."""

from collections.abc import Iterator
from typing import cast

from msgspec import UNSET

from exai_trio.errors import ExaiError, InternalError, StorageError, ToolFailedError
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


def as_error(fault: Fault) -> ExaiError:
    """The error that travelled as this fault."""
    kind = next((kind for kind in _kinds(ExaiError) if _is_of(kind, fault)), ToolFailedError)
    error = kind(fault.message, details=fault.details or {})
    error.retry_after_s = None if fault.retry_after_s is UNSET else fault.retry_after_s
    return error


def _kinds(kind: type[ExaiError]) -> Iterator[type[ExaiError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)


def _is_of(kind: type[ExaiError], fault: Fault) -> bool:
    return (kind.code, kind.category, kind.retryable) == (
        fault.code,
        fault.category,
        fault.retryable,
    )


def bugs_in(raised: Exception) -> Iterator[Exception]:
    """What of it is no error of ours, one by one."""
    if isinstance(raised, ExceptionGroup):
        for inner in cast("ExceptionGroup[Exception]", raised).exceptions:
            yield from bugs_in(inner)
    elif not isinstance(raised, ExaiError) or isinstance(raised, InternalError):
        yield raised


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


def not_journalled(fault: StorageError) -> StorageError:
    """Why a call is refused that cannot be journalled."""
    return StorageError(
        f"the call was not started, because it could not be written down: {fault.message}"
        " EXAI_DURABILITY=off takes calls without that",
        retry_after_s=fault.retry_after_s or 5.0,
        details={"reason": "not_journalled"},
    )
