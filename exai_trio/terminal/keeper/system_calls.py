"""What is asked of the system and may find nobody there, or nothing yet. Standard library only."""

import termios
from collections.abc import Callable
from typing import ParamSpec, TypeVar

GONE = (OSError, ValueError, termios.error)
Given = ParamSpec("Given")
Result = TypeVar("Result")


def unless_gone(
    call: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> Result | None:
    """What the call gives; None where the process, file, terminal or peer is not there any more."""
    try:
        return call(*given, **named)
    except GONE:  # audit: empty-handler, because None says that it is gone
        return None


def at_once(
    call: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> Result | None:
    """What the call gives; None where it would have to wait. Raises OSError."""
    try:
        return call(*given, **named)
    except BlockingIOError:  # audit: empty-handler, because None says that it would wait
        return None
