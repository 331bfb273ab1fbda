"""How each tool is measured: definitions.toml read and checked, and one run's arguments made of it. Nothing is measured here."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict

import attrs
import msgspec

from .wrong import Wrong

FILE: Final = Path(__file__).with_name("definitions.toml")
CLASSES: Final = (1, 2, 3, 4)
_HOLE: Final = re.compile(r"\{(\w+)\}")
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Right(TypedDict, total=False):
    """What a right answer looks like; `matches` is a regular expression, `fields` are values of its JSON, by their way."""

    contains: list[str]
    lacks: list[str]
    matches: str
    fields: dict[str, Any]


@attrs.frozen(kw_only=True)
class Before:
    """A call that makes ready for a run and is not measured: what is `take`n from its text, by regular expression, fills holes."""

    tool: str
    arguments: dict[str, Any] = attrs.field(factory=dict)
    take: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Definition:
    """`requests` are those that the provider is to have got of one run, exactly, by the end of their path; `own` is the budget of our
    own part, as a multiple of test_echo's; `limit` is seconds; `tokens` in and out are what a live run is reckoned with."""

    name: str
    kind: int
    arguments: dict[str, Any]
    right: Right
    requests: dict[str, Count] = attrs.field(factory=dict)
    before: tuple[Before, ...] = ()
    own: Seconds | None = None
    limit: Seconds
    warm_up: Count = 2
    runs: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10
    tokens: tuple[Count, Count] = (1500, 500)

    @property
    def asks_model(self):
        return any(path.endswith("chat/completions") for path in self.requests)


def _keys(kind):
    return frozenset(kind.__annotations__)


_KEYS: Final = _keys(Definition) - {"kind"} | {"class"}


def read(path=FILE, known=None):
    """All definitions, in order. Raises Wrong; `known` are the tools that there are."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise Wrong(f"{path.name}: cannot be read: {fault}") from fault
    _check_keys(path, "the file", table, {"classes", "tool"})
    classes = _classes(path, table.get("classes", {}))
    entries = _as(list[dict[str, Any]], table.get("tool", []), f"{path.name}: tool")
    found = [_definition(path, entry, classes) for entry in entries]
    _check_names(path, found, known)
    return tuple(found)


def _as(kind, value, where):
    """The value as this type. Raises Wrong, which says what is allowed."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        said, _, place = str(fault).partition(" - at ")
        key = place.strip("`").removeprefix("$").lstrip(".")
        raise Wrong(f"{where}: {f'{key}: ' if key else ''}{said[0].lower()}{said[1:]}") from fault


def _check_keys(path, where, table, allowed):
    for key in _as(dict[str, Any], table, f"{path.name}: {where}"):
        if key not in allowed:
            raise Wrong(
                f"{path.name}: {where}: unknown key {key!r}; allowed: {', '.join(sorted(allowed))}"
            )


def _classes(path, table):
    _check_keys(path, "classes", table, {str(number) for number in CLASSES})
    for number, entry in table.items():
        _check_keys(path, f"classes.{number}", entry, {"limit", "own"})
    return {int(number): entry for number, entry in table.items()}


def _definition(path, entry, classes):
    where = f"tool {entry.get('name', '?')}"
    _check_keys(path, where, entry, _KEYS)
    kind = entry.get("class")
    if type(kind) is not int or kind not in classes:
        allowed = ", ".join(map(str, sorted(classes)))
        raise Wrong(f"{path.name}: {where}: class is {kind!r}; allowed: {allowed}")
    _check_keys(path, f"{where}: right", entry.get("right", {}), _keys(Right))
    for before in _as(
        list[dict[str, Any]], entry.get("before", []), f"{path.name}: {where}: before"
    ):
        _check_keys(path, f"{where}: before", before, _keys(Before))
    values = {"kind" if key == "class" else key: value for key, value in entry.items()}
    made = _as(Definition, {**classes[kind], **values}, f"{path.name}: {where}")
    _check_right(path, where, made)
    return made


def _check_right(path, where, made):
    if not made.right:
        raise Wrong(
            f"{path.name}: {where}: right is empty; allowed: {', '.join(sorted(_keys(Right)))}"
        )
    patterns = [text for before in made.before for text in before.take.values()]
    for text in (made.right.get("matches", ""), *patterns):
        try:
            re.compile(text)
        except re.error as fault:
            raise Wrong(
                f"{path.name}: {where}: {text!r} is no regular expression: {fault}"
            ) from fault


def _check_names(path, found, known):
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Wrong(f"{path.name}: tool {twice[0]}: is defined twice")
    asked = [before.tool for one in found for before in one.before]
    for name in (*names, *asked) if known is not None else ():
        if name not in known:
            raise Wrong(
                f"{path.name}: tool {name}: there is no such tool; allowed: {', '.join(sorted(known))}"
            )


def chosen(definitions, named):
    """Those that are named, with commas; all if nothing is. Raises Wrong."""
    if not named:
        return definitions
    names = [name.strip() for name in named.split(",")]
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
