"""Of many exceptions that ended a nursery one is answered. Pure: no trio, no clock, no I/O."""

from typing import TypeVar

Raised = TypeVar("Raised", bound=Exception)


def first_of(group: BaseExceptionGroup[Raised]) -> Raised:
    """The first that is no group itself."""
    inner = group.exceptions[0]
    return first_of(inner) if isinstance(inner, BaseExceptionGroup) else inner
