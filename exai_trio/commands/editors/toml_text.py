"""TOML: one value read, put in, replaced or taken out; order and comments stay. Pure. The border of tomlkit."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from exai_trio.commands.editors.json_spans import Unreadable, found_in

Path = Sequence[str]


def value_at(text: str, path: Path) -> Any:  # TOML
    """What stands there; None if nothing does. Raises Unreadable."""
    return found_in(as_value(text), path)


def as_value(text: str) -> Any:  # TOML
    """Raises Unreadable."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Unreadable(text, 0, str(fault)) from fault


def with_value(
    text: str, path: Path, value: Mapping[str, Any], _head: Mapping[str, str] | None = None
) -> str:
    """The text with the value there. Raises Unreadable."""
    document = _parsed(text)
    table: Any = document
    for key in path[:-1]:
        if key not in table:
            table[key] = tomlkit.table(is_super_table=True)
        if not isinstance(found := table[key], Mapping):
            raise Unreadable(text, 0, f"{key} is no table")
        table = cast("Any", found)
    table[path[-1]] = dict(value)
    return tomlkit.dumps(document)


def without_value(text: str, path: Path, *, table_too: bool = False) -> str:
    """The text without it, and, if asked, without a table that is left empty. Raises Unreadable."""
    if value_at(text, path) is None:
        return text
    document = _parsed(text)
    table: Any = document
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    if table_too and not table and len(path) > 1:
        return without_value(tomlkit.dumps(document), path[:-1])
    return tomlkit.dumps(document)


def _parsed(text: str) -> tomlkit.TOMLDocument:
    as_value(text)  # tomllib names the line
    try:
        return tomlkit.parse(text)
    except TOMLKitError as fault:
        raise Unreadable(text, 0, str(fault)) from fault
