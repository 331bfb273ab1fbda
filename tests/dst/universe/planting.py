"""How a bug is planted: something else stands in a promise's place for the length of a block."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager


@contextmanager
def instead(owner: object, name: str, made: Callable) -> Generator[None]:
    """`owner.name` is what `made` makes of it."""
    original = getattr(owner, name)
    setattr(owner, name, made(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def together(*plants: AbstractContextManager[None]) -> Generator[None]:
    """All of them."""
    with ExitStack() as planted:
        for plant in plants:
            planted.enter_context(plant)
        yield
