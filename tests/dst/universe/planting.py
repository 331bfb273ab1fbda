"""How a bug is planted: something else stands in a promise's place for the length of a block."""

import inspect
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import attrs


@attrs.frozen
class Bug:
    """Found by what the oracle then complains of, soonest in the universe of this seed, after a storm of so many hours."""

    plant: Callable[[], AbstractContextManager[None]]
    complaint: str
    seed: int = attrs.field(kw_only=True)
    storm_h: float = attrs.field(default=1.0, kw_only=True)

    @property
    def name(self) -> str:
        return self.plant.__name__


@contextmanager
def instead(owner: object, name: str, made: Callable) -> Generator[None]:
    """`owner.name` is what `made` makes of it. Raises TypeError for what cannot be called as it is: it would crash, and be no bug."""
    original = getattr(owner, name)
    planted = made(original)
    if callable(original):
        _check_call(planted, original)
    setattr(owner, name, planted)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _check_call(planted: Callable, original: Callable) -> None:
    parameters = inspect.signature(original).parameters
    by_name = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    by_place = [name for name in parameters if name not in by_name]
    inspect.signature(planted).bind(*by_place, **dict.fromkeys(by_name))


@contextmanager
def together(*plants: AbstractContextManager[None]) -> Generator[None]:
    """All of them."""
    with ExitStack() as planted:
        for plant in plants:
            planted.enter_context(plant)
        yield
