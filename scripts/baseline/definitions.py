"""How each tool is measured: definitions.toml read and checked, and one run's arguments made of it. Nothing is measured here."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from .wrong import Wrong

FILE: Final = Path(__file__).with_name("definitions.toml")
CLASSES: Final = (1, 2, 3, 4)
_HOLE: Final = re.compile(r"\{(\w+)\}")
_RIGHT: Final = frozenset({"contains", "lacks", "matches", "fields"})
_BEFORE: Final = frozenset({"tool", "arguments", "take"})


@attrs.frozen(kw_only=True)
class Before:
    """A call that makes ready for a run and is not measured: what is `take`n from its text, by regular expression, fills holes."""

    tool: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    take: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Definition:
    """`requests` are those that the provider is to have got of one run, exactly, by the end of their path; `own` is the budget of our
    own part, as a multiple of test_echo's; `limit` is seconds; `tokens` in and out are what a live run is reckoned with."""

    name: str
    kind: int
    arguments: Mapping[str, Any]
    right: Mapping[str, Any]
    requests: Mapping[str, int] = attrs.field(factory=dict)
    before: tuple[Before, ...] = ()
    own: float | None = None
    limit: float
    warm_up: int = 2
    runs: int = 10
    tokens: tuple[int, int] = (1500, 500)

    @property
    def asks_model(self):
        return any(path.endswith("chat/completions") for path in self.requests)


_KEYS: Final = tuple(field.name.replace("kind", "class") for field in attrs.fields(Definition))


def read(path=FILE, known=None):
    """All definitions, in order. Raises Wrong; `known` are the tools that there are."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise Wrong(f"{path.name}: cannot be read: {fault}") from fault
    _check_keys(path, "the file", table, {"classes", "tool"})
    classes = _classes(path, table.get("classes", {}))
    found = [_definition(path, entry, classes) for entry in table.get("tool", [])]
    _check_names(path, [one.name for one in found], known)
    return tuple(found)


def _check_keys(path, where, table, allowed):
    for key in table:
        if key not in allowed:
            raise Wrong(
                f"{path.name}: {where}: unknown key {key!r}; allowed: {', '.join(sorted(allowed))}"
            )


def _classes(path, table):
    _check_keys(path, "classes", table, {str(number) for number in CLASSES})
    found = {}
    for number, entry in table.items():
        _check_keys(path, f"classes.{number}", entry, {"limit", "own"})
        found[int(number)] = entry
    return found


def _definition(path, entry, classes):
    where = f"tool {entry.get('name', '?')}"
    _check_keys(path, where, entry, _KEYS)
    if entry.get("class") not in CLASSES or entry["class"] not in classes:
        raise Wrong(f"{path.name}: {where}: class is {entry.get('class')!r}; allowed: 1, 2, 3, 4")
    _check_keys(path, f"{where}: right", entry.get("right", {}), _RIGHT)
    for before in entry.get("before", ()):
        _check_keys(path, f"{where}: before", before, _BEFORE)
    values = {"kind" if key == "class" else key: value for key, value in entry.items()}
    values["before"] = tuple(Before(**before) for before in entry.get("before", ()))
    try:
        made = Definition(**{**classes[entry["class"]], **values})
    except TypeError:
        missing = [key for key in ("name", "arguments", "right") if key not in entry]
        raise Wrong(f"{path.name}: {where}: needs {', '.join(missing)}") from None
    _check_numbers(path, where, made)
    return made


def _check_numbers(path, where, made):
    for key in ("warm_up", "runs", "limit"):
        value = getattr(made, key)
        if not isinstance(value, int | float) or value < (key != "warm_up"):
            raise Wrong(
                f"{path.name}: {where}: {key} is {value!r}; allowed: a number from {int(key != 'warm_up')}"
            )
    if not made.right:
        raise Wrong(f"{path.name}: {where}: right is empty; allowed: {', '.join(sorted(_RIGHT))}")


def _check_names(path, names, known):
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Wrong(f"{path.name}: tool {twice[0]}: is defined twice")
    for name in names if known is not None else ():
        if name not in known:
            raise Wrong(
                f"{path.name}: tool {name}: there is no such tool; allowed: {', '.join(sorted(known))}"
            )


def chosen(definitions, named):
    """Those that are named, with commas; all if nothing is. Raises Wrong."""
    if not named:
        return definitions
    names = [name.strip() for name in named.split(",") if name.strip()]
    known = {one.name: one for one in definitions}
    for name in names:
        if name not in known:
            raise Wrong(
                f"--tools: {name!r} is defined nowhere; allowed: {', '.join(sorted(known))}"
            )
    return tuple(known[name] for name in dict.fromkeys(names))


def filled(value, holes):
    """The same with what fills each {hole}; a text that is one hole becomes its value, of whatever type."""
    match value:
        case str() if (whole := _HOLE.fullmatch(value)) and whole[1] in holes:
            return holes[whole[1]]
        case str():
            return _HOLE.sub(lambda found: str(holes.get(found[1], found[0])), value)
        case Mapping():
            return {key: filled(each, holes) for key, each in value.items()}
        case list() | tuple():
            return [filled(each, holes) for each in value]
        case _:
            return value


def holds(right, text, content):
    """What is wrong with an answer's text, and its fields; "" if nothing is."""
    for part in right.get("contains", ()):
        if part not in text:
            return f"the answer lacks {part!r}"
    for part in right.get("lacks", ()):
        if part in text:
            return f"the answer has {part!r}"
    if "matches" in right and not re.search(right["matches"], text):
        return f"the answer does not match {right['matches']!r}"
    for name, wanted in right.get("fields", {}).items():
        if (found := _at(content, name)) != wanted:
            return f"{name} is {found!r}, not {wanted!r}"
    return ""


def _at(content, name):
    for part in name.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
