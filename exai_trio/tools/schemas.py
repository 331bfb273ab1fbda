"""The JSON Schema of a tool's arguments, in the plain form that every editor takes. Pure.

No references, unions or lists of types; an optional field is one that is not required. Short, since it costs its readers tokens.
"""

from collections.abc import Mapping, Set as AbstractSet
from functools import cache
from typing import Any, cast

import msgspec

Schema = dict[str, Any]

_MOST_CHOICES = 4  # in a short list; more are plain text there
_CHOSEN_EACH_TIME = frozenset({"confidence"})  # with all its choices in every list
_BOUNDS = {"default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}


@cache
def of_class(arguments: type, *, closed: bool = True) -> Mapping[str, Any]:
    """The schema of an attrs class. `closed` says that no other arguments are taken. Not to be changed by the caller."""
    raw = msgspec.json.schema(arguments)
    definitions = cast("dict[str, Schema]", raw.get("$defs", {}))
    schema = _plain(raw, definitions)
    schema.pop("description", None)  # of the class; the tool has its own
    schema.setdefault("properties", {})
    schema["additionalProperties"] = not closed
    return schema


def _plain(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    schema = _without_null(schema)
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]] | schema
    kept = {key: value for key, value in schema.items() if key not in {"$ref", "$defs", "title"}}
    if not kept.get(
        "default", True
    ):  # empty, false or null: only repeats that nothing is the default
        del kept["default"]
    if "properties" in kept:
        kept["properties"] = {
            name: _plain(inner, definitions) for name, inner in kept["properties"].items()
        }
    if kept.get("type") == "array":
        kept["items"] = _plain(kept.get("items", {"type": "object"}), definitions)
    if "enum" in kept:
        kept.setdefault("type", "string")
    if not kept.get("required", True):
        del kept["required"]
    return kept


def _without_null(schema: Schema) -> Schema:
    """`X | None` as X: in a call, leaving a field out is how None is said."""
    if "anyOf" not in schema:
        return schema
    (only,) = (branch for branch in schema["anyOf"] if branch.get("type") != "null")
    return {key: value for key, value in schema.items() if key != "anyOf"} | cast("Schema", only)


def short(schema: Mapping[str, Any], leave_out: AbstractSet[str]) -> Schema:
    """The schema for a list that must not cost much: without those arguments, and without what a refusal would say anyway.

    It does not say that no others are taken: those that are left out are.
    """
    properties = {
        name: {key: value for key, value in inner.items() if not _is_detail(name, key, value)}
        for name, inner in schema["properties"].items()
        if name not in leave_out
    }
    whole = {key: value for key, value in schema.items() if key != "additionalProperties"}
    return whole | {"properties": properties}


def _is_detail(name: str, key: str, value: object) -> bool:
    long = (
        key == "enum"
        and name not in _CHOSEN_EACH_TIME
        and isinstance(value, list)
        and len(cast("list[object]", value)) > _MOST_CHOICES
    )
    return long or key in _BOUNDS


def allowed(schema: Mapping[str, Any]) -> str:
    """What a value of this schema must be, for a person: "a number from 0 to 1", "one of low, high"."""
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        size = _between(schema.get("minItems"), schema.get("maxItems"), " entries")
        return f"a list{size}, each {allowed(schema['items'])}"
    if kind == "string":
        return "text" + _between(schema.get("minLength"), schema.get("maxLength"), " characters")
    if kind in {"integer", "number"}:
        name = "a whole number" if kind == "integer" else "a number"
        return name + _between(schema.get("minimum"), schema.get("maximum"), "")
    return {"boolean": "true or false", "object": "an object"}.get(str(kind), "any value")


def _between(low: object, high: object, unit: str) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" of at least {low}{unit}"
    if low is None:
        return f" of at most {high}{unit}"
    return f" from {low} to {high}{unit}"
