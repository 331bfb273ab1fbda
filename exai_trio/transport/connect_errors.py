"""Why a TCP connection could not be made: whether nobody listens there."""

from typing import cast


def all_refused(cause: BaseException | None) -> bool:
    """Whether every address of the host refused; `cause` is the one fault, or a group of one for each address."""
    if isinstance(cause, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", cause)
        return all(all_refused(one) for one in group.exceptions)
    return isinstance(cause, ConnectionRefusedError)
