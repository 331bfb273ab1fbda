"""How a bug is planted: something else stands in a promise's place for the length of a block."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import attrs


@attrs.frozen
class Bug:
    """Found by what the oracle then complains of, soonest in the universe of this seed; in a storm of so many hours if it is one of those
    that show in the peace after it."""

    plant: Callable[[], AbstractContextManager[None]]
    complaint: str
    seed: int = attrs.field(kw_only=True)
    storm_h: float = attrs.field(default=1.0, kw_only=True)

    @property
    def name(self) -> str:
        return self.plant.__name__


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
