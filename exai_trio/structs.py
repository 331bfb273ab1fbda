"""`define` and `frozen` as attrs has them, for half of the time that making a class takes. Pure: no trio, no clock, no I/O.

attrs writes and compiles code for every class, which was half of the daemon's start. Here it does so for `__init__` alone;
comparing, hashing and showing are the same three functions for all classes: slower than compiled ones, and seldom used.
"""

from collections.abc import Callable
from functools import cache, partial
from reprlib import recursive_repr
from typing import TYPE_CHECKING, cast

import attrs

Shown = Callable[[object], str]

if TYPE_CHECKING:  # to a type checker they are the same
    from attrs import define, frozen

    __all__ = ["define", "frozen"]
else:

    def define(cls=None, /, **how):  # noqa: ANN001, ANN003, ANN201 - as attrs.define
        finish = partial(_made, attrs.define, None, how)
        return finish(cls) if cls else finish

    def frozen(cls=None, /, **how):  # noqa: ANN001, ANN003, ANN201 - as attrs.frozen
        finish = partial(_made, attrs.frozen, _hash, how)
        return finish(cls) if cls else finish


def _made(
    make: Callable[..., type],
    hashed: Callable[[attrs.AttrsInstance], int] | None,
    how: dict[str, bool],
    cls: type,
) -> type:
    own = set(vars(cls))
    if issubclass(cls, BaseException):
        return make(cls, **how)
    shared: dict[str, object] = {}
    if how.get("repr", True):
        shared["__repr__"] = _repr
    if how.get("eq", True):
        shared |= {"__eq__": _eq, "__hash__": hashed if how.get("hash", True) else None}
    made = make(cls, **how | {"eq": False, "repr": False})
    for name in shared.keys() - own:
        setattr(made, name, shared[name])
    return made


@recursive_repr("...")
def _repr(self: attrs.AttrsInstance) -> str:
    shown = ", ".join(f"{name}={show(getattr(self, name))}" for name, show in _shown(type(self)))
    return f"{type(self).__qualname__}({shown})"


def _eq(self: attrs.AttrsInstance, other: attrs.AttrsInstance) -> object:
    return _content(self) == _content(other) if type(other) is type(self) else NotImplemented


def _hash(self: attrs.AttrsInstance) -> int:
    return hash((type(self), *_content(self)))


def _content(of: attrs.AttrsInstance) -> tuple[object, ...]:
    return tuple(getattr(of, name) for name in _compared(type(of)))


@cache
def _compared(cls: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls) if field.eq)


@cache
def _shown(cls: type[attrs.AttrsInstance]) -> tuple[tuple[str, Shown], ...]:
    shown = [field for field in attrs.fields(cls) if field.repr]
    return tuple((f.name, cast("Shown", f.repr) if callable(f.repr) else repr) for f in shown)
