"""Two preparations of a call at the same time: what the first finds decides whether the second counts."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from exai_trio.errors import ExaiError

T = TypeVar("T")
Other = TypeVar("Other")


async def beside(
    first: Callable[[], Awaitable[T]], second: Callable[[], Awaitable[Other]]
) -> tuple[T, Callable[[], Other]]:
    """What the first returns; and a function that returns what the second does, or raises its ExaiError.

    Raises the ExaiError of the first, which cuts the second. Cancelling cuts both.
    """
    found: list[T | ExaiError] = []
    other: list[Other | ExaiError] = []
    async with trio.open_nursery() as preparing:
        preparing.start_soon(_keep, second, other)
        await _keep(first, found)
        if isinstance(found[0], ExaiError):
            preparing.cancel_scope.cancel(reason="the first has failed")
    return _value(found), lambda: _value(other)


async def _keep(work: Callable[[], Awaitable[T]], into: list[T | ExaiError]) -> None:
    """The nursery would wrap a fault."""
    try:
        into.append(await work())
    except ExaiError as fault:
        into.append(fault)


def _value(kept: list[T | ExaiError]) -> T:
    (value,) = kept
    if isinstance(value, ExaiError):
        raise value
    return value
