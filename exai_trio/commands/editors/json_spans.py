"""Where values and members stand in JSON with comments and commas at the end, as editors write and read it. Pure."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, cast

from exai_trio import structs

_SKIPPED: Final = re.compile(r"(?:[\s\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD: Final = re.compile(r"-?[0-9][-+.0-9eE]*|true|false|null")
_DEEPEST: Final = 100


class Unreadable(ValueError):
    """The text is broken, or holds no object where one is needed. Says at which line."""

    def __init__(self, text: str, at: int, why: str) -> None:
        super().__init__(f"line {text.count(chr(10), 0, at) + 1}: {why}")


@structs.frozen(kw_only=True)
class Node:
    """A value from `start` to `end`; `members` if it is an object, `items` if it is a list."""

    start: int
    end: int
    members: "tuple[Member, ...] | None" = None
    items: "tuple[Node, ...] | None" = None

    def member(self, key: str) -> "Member | None":
        """The last of that name, which is the one that counts."""
        return next((each for each in reversed(self.members or ()) if each.key == key), None)

    def value(self, text: str) -> Any:  # JSON
        if self.members is not None:
            return {each.key: each.value.value(text) for each in self.members}
        if self.items is not None:
            return [each.value(text) for each in self.items]
        return json.loads(text[self.start : self.end])


@structs.frozen(kw_only=True)
class Member:
    """`start` is where its key begins, `comma` where the comma after its value stands, if there is one."""

    key: str
    start: int
    value: Node
    comma: int | None


def spans(text: str) -> Node:
    """The only value of the text. Raises Unreadable."""
    node = _value(text, skipped(text, 0), 0)
    end = skipped(text, node.end)
    if end < len(text):
        raise Unreadable(text, end, f"{text[end]!r} after the end")
    return node


def found_in(value: Any, path: Sequence[str]) -> Any:  # JSON, or what is like it
    """What stands there; None if nothing does."""
    for key in path:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


def skipped(text: str, at: int) -> int:
    """Where the next thing begins that is neither blank nor comment."""
    found = _SKIPPED.match(text, at)
    return at if found is None else found.end()


def _value(text: str, at: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise Unreadable(text, at, "nested too deeply")
    match text[at : at + 1]:
        case "{":
            return _object(text, at, depth)
        case "[":
            return _list(text, at, depth)
        case _:
            return Node(start=at, end=_scalar_end(text, at))


def _scalar_end(text: str, at: int) -> int:
    found = _STRING.match(text, at) or _WORD.match(text, at)
    if found is None:
        raise Unreadable(text, at, f"{text[at : at + 1] or 'the end'!r} where a value should be")
    try:
        json.loads(found.group())
    except ValueError:
        raise Unreadable(text, at, f"{found.group()[:40]!r} is no value") from None
    return found.end()


def _object(text: str, at: int, depth: int) -> Node:
    members: list[Member] = []
    start, at = at, skipped(text, at + 1)
    while text[at : at + 1] != "}":
        if members and members[-1].comma is None:
            raise Unreadable(text, at, "a comma or '}' is missing")
        member = _member(text, at, depth)
        members.append(member)
        at = skipped(text, member.value.end if member.comma is None else member.comma + 1)
    return Node(start=start, end=at + 1, members=tuple(members))


def _member(text: str, at: int, depth: int) -> Member:
    key = _STRING.match(text, at)
    if key is None:
        raise Unreadable(text, at, "a name in double quotes or '}' is missing")
    colon = skipped(text, key.end())
    if text[colon : colon + 1] != ":":
        raise Unreadable(text, colon, "':' is missing")
    value = _value(text, skipped(text, colon + 1), depth + 1)
    name: str = json.loads(text[at : _scalar_end(text, at)])
    return Member(key=name, start=at, value=value, comma=_comma(text, value.end))


def _list(text: str, at: int, depth: int) -> Node:
    items: list[Node] = []
    start, at, comma = at, skipped(text, at + 1), True
    while text[at : at + 1] != "]":
        if not comma:
            raise Unreadable(text, at, "a comma or ']' is missing")
        items.append(_value(text, at, depth + 1))
        after = _comma(text, items[-1].end)
        comma = after is not None
        at = skipped(text, items[-1].end if after is None else after + 1)
    return Node(start=start, end=at + 1, items=tuple(items))


def _comma(text: str, at: int) -> int | None:
    at = skipped(text, at)
    return at if text[at : at + 1] == "," else None
