"""The signals that come before a process listens to them, and while it is closing."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import trio


@contextmanager
def ending_once(serves: trio.Event, *numbers: signal.Signals) -> Generator[None]:
    """Where no receiver of Trio's is open, a signal ends this process as it ends any program, and does nothing once it `serves`: then it
    is leaving by itself. Within Trio's run, main thread only: a handler of Python's must be gone before Trio closes what signals wake it
    through, and before the interpreter goes. Nothing is given back: the process ends after it."""

    def take(number: int, _: FrameType | None) -> None:
        if not serves.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in numbers:
        signal.signal(number, take)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
