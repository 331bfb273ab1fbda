"""From the JSON arguments of a call to an instance of the tool's argument class, or one ArgumentError. Pure.

What clients often send and what it plainly means is taken: numbers, booleans, lists and objects as text, a single value where
a list is meant, null or a blank for "not given". Half characters (lone surrogates) are refused, since no provider can be sent them.
"""

import math
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from typing import Any, cast, get_type_hints

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import ArgumentError, ExaiError
from exai_trio.tools import json_text, schemas
from exai_trio.tools.base import Tool

Container = dict[object, object] | list[object] | tuple[object, ...]

LONGEST_NAME = 256  # characters, of a tool, an argument, a model
_NAMING = re.compile(r"model|tool_name|[a-z_]+_id")  # arguments that are looked up, and said again
_SHOWN = 80  # characters of a refused value in a message
_LARGEST_SHOWN = 10**30
_DEEPEST = 50  # levels of nesting; JSON of people and models stays far below


@structs.frozen(kw_only=True)
class Field:
    """One argument: what msgspec converts to, whether it is text, and what it says about itself."""

    name: str
    type: Any
    required: bool
    is_text: bool
    schema: Mapping[str, Any]


def schema(tool: Tool) -> dict[str, Any]:
    """The tool's `inputSchema`; the caller may keep it but not change what is in it."""
    return dict(schemas.of_class(tool.arguments, closed=not tool.extra_arguments_allowed))


def parse(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """An instance of `tool.arguments`.

    Raises: ArgumentError naming the field, the value and what is allowed.
    """
    fields = _fields(tool.arguments)
    _refuse_long_names(arguments)
    _refuse_unknown(tool, arguments, fields)
    values = {
        field.name: _value(field, arguments[field.name])
        for field in fields.values()
        if _is_given(field, arguments.get(field.name))
    }
    return tool.arguments(**values)


@contextmanager
def concerning(field: str) -> Generator[None]:
    """Name the argument in faults that are found only when it is used."""
    try:
        yield
    except ExaiError as fault:
        fault.details.setdefault("field", field)
        raise


@cache
def _fields(arguments: type) -> Mapping[str, Field]:
    types = get_type_hints(arguments, include_extras=True)
    properties = schemas.of_class(arguments)["properties"]
    return {
        field.name: Field(
            name=field.name,
            type=types[field.name],
            required=field.default is attrs.NOTHING,
            is_text=properties[field.name].get("type") == "string"
            and "enum" not in properties[field.name],
            schema=properties[field.name],
        )
        for field in attrs.fields(arguments)
    }


def _refuse_long_names(arguments: Mapping[str, Any]) -> None:
    longest = max(map(len, arguments), default=0)
    if longest > LONGEST_NAME:
        raise ArgumentError(
            f"The name of an argument has {longest} characters; {LONGEST_NAME} is the most.",
            details={"max_length": LONGEST_NAME},
        )


def _refuse_unknown(tool: Tool, arguments: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    if tool.extra_arguments_allowed:
        return
    for name in arguments:
        if name not in fields and name not in tool.tolerated:
            shown = _shown(name)
            near = get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ArgumentError(
                f"{tool.name} has no argument {shown}{hint} It takes: {', '.join(fields)}.",
                details={"field": shown.strip("'"), "allowed": list(fields)},
            )


def _is_given(field: Field, value: object) -> bool:
    if value is None or (
        isinstance(value, str) and not value.strip() and (field.required or not field.is_text)
    ):
        if field.required:
            raise _refusal(field, value, "is required and may not be empty")
        return False
    return True


def _value(field: Field, value: object) -> object:
    meant = json_text.meant(field.schema, value)
    _refuse_unsendable(field, meant, _DEEPEST)
    if isinstance(value, str) and len(value) > LONGEST_NAME and _NAMING.fullmatch(field.name):
        raise _refusal(field, value, f"may have {LONGEST_NAME} characters at most")
    try:
        # Not strict: "0.5" is a number and "true" a boolean, as models like to write them.
        return msgspec.convert(meant, field.type, strict=False)
    except msgspec.ValidationError as fault:
        raise _refusal(field, value, f"must be {schemas.allowed(field.schema)}") from fault


def _refuse_unsendable(field: Field, value: object, depth: int) -> None:
    """Raises: ArgumentError for half characters, numbers that are none, and nesting without end."""
    match value:
        case str():
            if not _is_unicode(value):
                raise _refusal(
                    field, value, "holds half a character (a lone surrogate); send whole ones"
                )
        case float() if not math.isfinite(value):
            raise _refusal(field, value, "must be a finite number")
        case dict() | list() | tuple():
            if depth == 0:
                raise _refusal(field, "…", f"is nested deeper than {_DEEPEST} levels")
            for each in _inside(cast("Container", value)):
                _refuse_unsendable(field, each, depth - 1)
        case _:
            pass


def _inside(container: Container) -> list[object]:
    return [*container, *container.values()] if isinstance(container, dict) else [*container]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # audit: empty-handler, because that it is no Unicode is the answer
        return False
    return True


def _refusal(field: Field, value: object, what: str) -> ArgumentError:
    allowed = schemas.allowed(field.schema)
    got = "" if value is None else f" (got {_shown(value)})"
    return ArgumentError(
        f"{field.name} {what}{got}.",
        details={"field": field.name, "value": _shown(value), "allowed": allowed},
    )


def _shown(value: object) -> str:
    """A value for a message: short whatever it is; repr writes half characters as escapes."""
    match value:
        case str():
            text = repr(value[:_SHOWN])
        case list() | tuple():
            text = f"a list of {len(cast('list[object]', value))}"
        case dict():
            text = f"an object of {len(cast('dict[object, object]', value))} fields"
        case int() if (
            abs(value) > _LARGEST_SHOWN
        ):  # Python refuses to print numbers of thousands of digits
            text = "a huge number"
        case _:
            text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
