"""`KEY=VALUE` from a shell, to a tool's arguments, by the tool's schema. Pure: reading @files is the caller's."""

import json
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, cast

from exai_trio.errors import ArgumentError

Schema = Mapping[str, Any]
Read = Callable[[str], str]  # of a path, or "-"

_JSON_TYPES = frozenset({"integer", "number", "boolean", "object", "array", "null"})
_KIND_OF: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_SWITCH = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


class WordError(ArgumentError):
    """A word of the command line that cannot be used; nothing was sent."""


def split(words: Iterable[str], read: Read) -> tuple[tuple[str, str], ...]:
    """Keys and texts. A value @PATH is the content of the file, @- that of stdin, @@ a literal @."""
    return tuple(_pair(word, read) for word in words)


def whole(text: str, what: str) -> str:
    """The text, which can be sent. Bytes that are no UTF-8 arrive as half characters (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise WordError(f"{what} is not UTF-8: {text[:80]!r}") from fault
    return text


def arguments(pairs: Iterable[tuple[str, str]], schema: Schema | None) -> dict[str, Any]:
    """Typed values. A key that stands twice makes a list. Without a schema, what reads as JSON is JSON."""
    properties: Mapping[str, Any] = {} if schema is None else schema.get("properties", {})
    found: dict[str, Any] = {}
    for key, text in pairs:
        value = _guessed(text) if schema is None else _typed(key, text, properties.get(key, {}))
        found[key] = _joined(found[key], value) if key in found else value
    return found


def _pair(word: str, read: Read) -> tuple[str, str]:
    key, sign, text = word.partition("=")
    if not sign or not key:
        raise WordError(f"{word!r} is not KEY=VALUE")
    whole(key, "the name of an argument")
    if text.startswith("@") and not text.startswith("@@"):
        return key, _content(key, text[1:], read)
    return key, whole(text.removeprefix("@"), f"the value of {key}")


def _content(key: str, path: str, read: Read) -> str:
    try:
        return read(path)
    except (OSError, UnicodeError, RuntimeError) as fault:  # RuntimeError: ~ of nobody
        raise WordError(
            f"{key}: cannot read {path!r}: {fault}; write @@ for a literal @"
        ) from fault


def _typed(key: str, text: str, schema: Schema) -> Any:
    kinds = _kinds(schema)
    if "boolean" in kinds and text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    value, is_json = _json(text)
    if is_json and _kind(value) in kinds:
        return value
    if "number" in kinds and _kind(value) == "integer":
        return value
    if "string" in kinds or not kinds & _JSON_TYPES:
        return text
    if "array" in kinds:
        return [_typed(key, text, cast("Schema", schema.get("items", {})))]
    raise WordError(f"{key}={text[:80]}: the tool wants {' or '.join(sorted(kinds))}")


def _kinds(schema: Schema) -> frozenset[str]:
    kinds = schema.get("type", ())
    if isinstance(kinds, str):
        return frozenset({kinds})
    nested = [_kinds(part) for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
    return frozenset(kinds).union(*nested)


def _json(text: str) -> tuple[Any, bool]:
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite), True
    except (ValueError, RecursionError):
        # audit: empty-handler, because the second value says that it was no JSON
        return None, False


def _finite(text: str) -> float:
    """JSON has no others. Raises ValueError."""
    value = float(text)
    if not isfinite(value):
        raise ValueError
    return value


def _kind(value: object) -> str:
    return _KIND_OF[type(value)]


def _guessed(text: str) -> Any:
    value, is_json = _json(text)
    return value if is_json else text


def _joined(before: Any, value: Any) -> list[Any]:
    return [
        *(before if isinstance(before, list) else [before]),
        *(value if isinstance(value, list) else [value]),
    ]
