"""Text that is JSON, where the schema means a list or an object: some clients write those as text. Pure.

Text stays what it is where a text is meant, and where its JSON is not what the schema asks for.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

Schema = Mapping[str, Any]


def meant(schema: Schema, value: object) -> object:
    """The value with lists and objects in place of the texts that write them; a single value where a list is meant, as a list of one."""
    match schema.get("type"):
        case "array":
            items = cast("Schema", schema["items"])
            return [_item(items, each) for each in _listed(items, value)] if _fits(value) else value
        case "object":
            return _item(schema, value)
        case _:
            return value


def _fits(value: object) -> bool:
    return isinstance(value, str | dict | list | tuple)


def _listed(items: Schema, value: object) -> list[object]:
    """The entries: of a list, of a text that writes one, or the single value."""
    given: list[object] = []
    if isinstance(value, str | dict):
        given.append(cast("object", value))
    else:
        given.extend(cast("Iterable[object]", value))
    written = _read(given[0]) if len(given) == 1 else None
    is_meant = isinstance(written, list) and _are(items, cast("list[object]", written))
    return cast("list[object]", written) if is_meant else given


def _are(items: Schema, written: list[object]) -> bool:
    """Whether these can be the entries; an object may be described by a text."""
    kinds = {"string": str, "object": str | dict}.get(items.get("type", ""), object)
    return all(isinstance(each, kinds) for each in written)


def _item(schema: Schema, value: object) -> object:
    if schema.get("type") != "object":
        return value
    written = _read(value) if isinstance(value, str) else value
    if not isinstance(written, dict):
        return value
    fields = cast("dict[str, object]", written)
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    if isinstance(value, str) and properties and not properties.keys() & fields.keys():
        return value
    return {
        name: meant(properties[name], inner) if name in properties else inner
        for name, inner in fields.items()
    }


def _read(text: object) -> object:
    """The list or object that the text writes; None if it is no such text."""
    if not isinstance(text, str) or text.lstrip()[:1] not in {"[", "{"}:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # audit: empty-handler, because None is the answer: no such text
        return None
