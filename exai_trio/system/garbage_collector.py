"""Python's garbage collector, set for a process that lives long and makes many short-lived objects for each message."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

_YOUNGEST = 20_000  # allocations between two looks at the youngest objects; Python's own 700 come with every third call


def settle() -> None:
    """What is there now is there for good: never look at it again, and look at the rest less often. Once, after the start."""
    gc.collect()
    gc.freeze()
    look_seldom()


def look_seldom() -> None:
    gc.set_threshold(_YOUNGEST, 10, 10)


@contextmanager
def resting() -> Generator[None]:
    """Nothing is looked for while so much is made that stays: each look would go through all of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
