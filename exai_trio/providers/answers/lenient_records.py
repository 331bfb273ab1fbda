"""Records read out of what a service sent, as far as it can be read. Pure.

What is needed is read strictly: a field without a default, or one that is marked `needed`. Any other field that is of no use
stays at its default, and its name is noted. Numbers may come as text or as fractions, one record where a list is meant, and
an empty list where a record is meant, as PHP writes an empty object.
"""

import math
import types
from collections.abc import Callable
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import attrs
import msgspec

from .characters import whole, whole_within
from .loose_json import NotJson, value as json_value

T = TypeVar("T")
NEEDED: Final = {"needed": True}
_UNIONS: Final = (types.UnionType, Union)


class Unreadable(ValueError):
    """A field that is needed is not what it should be; the text is its name."""


def needed() -> Any:
    """A field that may be missing or null, but of no other type than it should be."""
    return attrs.field(default=None, metadata=NEEDED)


def reader(kind: type[T], note: Callable[[list[str]], None]) -> Callable[[bytes], T]:
    """Decodes a body; `note` hears the names of the fields that could not be read. Raises: Unreadable."""
    decode = msgspec.json.Decoder(kind).decode

    def read_body(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _slowly(body)

    def _slowly(body: bytes) -> T:
        lost: list[str] = []
        try:
            found = read(kind, json_value(body), lost)
        except (NotJson, RecursionError) as error:
            raise Unreadable(str(error)) from error
        if lost:
            note(lost)
        return found

    return read_body


def read(kind: type[T], given: object, lost: list[str]) -> T:
    """The record; the names of its fields that could not be read are added to `lost`. Raises: Unreadable."""
    known = attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    fields = _fields_of(given, known, kind.__name__)
    found: dict[str, object] = {}
    for field in known:
        if field.name in fields:
            _read_field(field, fields[field.name], found, lost)
        elif field.default is attrs.NOTHING:
            raise Unreadable(field.name)
    return kind(**found)


def _fields_of(
    given: object, known: "tuple[attrs.Attribute[Any], ...]", name: str
) -> dict[str, object]:
    """Nothing, in whatever form, is a record without fields; a list stands for the record that only wraps one."""
    if not given:
        return {}
    if isinstance(given, list) and len(known) == 1:
        return {known[0].name: cast("object", given)}
    if not isinstance(given, dict):
        raise Unreadable(name)
    return cast("dict[str, object]", given)


def _read_field(
    field: "attrs.Attribute[Any]", given: object, found: dict[str, object], lost: list[str]
) -> None:
    optional = field.default is not attrs.NOTHING
    try:
        found[field.name] = _as(field.type, given, lost)
    except Unreadable as error:
        if not optional or (field.metadata.get("needed") and given is not None):
            raise Unreadable(field.name) from error
        if given is not None:
            lost.append(field.name)


def _as(kind: Any, given: object, lost: list[str]) -> object:
    origin = get_origin(kind)
    if kind is Any:
        return given
    if origin in _UNIONS:
        return _as_one_of(get_args(kind), given, lost)
    if origin is list:
        return _as_list(get_args(kind)[0], given, lost)
    if origin is dict:
        return whole_within(cast("object", _checked(given, dict)))
    if attrs.has(kind):
        return read(kind, given, lost)
    return _SCALARS[kind](given)


def _as_one_of(kinds: tuple[Any, ...], given: object, lost: list[str]) -> object:
    if given is None and types.NoneType in kinds:
        return None
    for kind in kinds:
        try:
            return _as(kind, given, lost)
        except Unreadable:
            # audit: silent-loop, because the next kind is tried; a value of none of them is noted
            continue
    raise Unreadable(str(kinds))


def _as_list(kind: Any, given: object, lost: list[str]) -> list[object]:
    """Those that can be read; if there are some and none can, it is no such list."""
    if not given:
        return []
    entries = cast("list[object]", given if isinstance(given, list) else [_checked(given, dict)])
    found: list[object] = []
    for entry in entries:
        try:
            found.append(_as(kind, entry, lost))
        except Unreadable as error:
            lost.append(str(error))
    if not found:
        raise Unreadable("list")
    return found


def _checked(given: object, kind: type[T]) -> T:
    if not isinstance(given, kind):
        raise Unreadable(kind.__name__)
    return given


def _text(given: object) -> str:
    return whole(_checked(given, str))


def _number(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise Unreadable("number")
    try:
        number = float(given)
    except (ValueError, OverflowError) as error:
        raise Unreadable("number") from error
    if not math.isfinite(number):
        raise Unreadable("number")
    return number


def _integer(given: object) -> int:
    exact = isinstance(given, int) and not isinstance(given, bool)
    return cast("int", given) if exact else int(_number(given))


def _truth(given: object) -> bool:
    words: dict[object, bool] = {"true": True, "false": False, "1": True, "0": False}
    said = words.get(str(given).lower()) if isinstance(given, bool | int | str) else None
    if said is None:
        raise Unreadable("bool")
    return said


def _nothing(given: object) -> None:
    if given is not None:
        raise Unreadable("null")


_SCALARS: Final[dict[Any, Callable[[object], object]]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
    types.NoneType: _nothing,
}
