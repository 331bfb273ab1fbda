"""JSON with comments: one value read, put in, replaced or taken out; every other letter stays. Pure.

What `json_spans` finds is where things stand in the text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exai_trio.commands.editors.json_spans import Member, Node, Unreadable, found_in, skipped, spans

_UNIT: Final = "  "
Path = Sequence[str]


def value_at(text: str, path: Path) -> Any:  # JSON
    """What stands there; None if nothing does. Raises Unreadable."""
    return found_in(as_value(text), path)


def as_value(text: str) -> Any:  # JSON
    """Raises Unreadable."""
    return spans(text).value(text) if skipped(text, 0) < len(text) else {}


def with_value(
    text: str, path: Path, value: Mapping[str, Any], head: Mapping[str, str] | None = None
) -> str:
    """The text with the value there. `head` is what a file begins with that was empty. Raises Unreadable."""
    if skipped(text, 0) == len(text):
        return json.dumps(_nested(path, value, head or {}), ensure_ascii=False, indent=2) + "\n"
    node, rest = spans(text), list(path)
    while True:
        if node.members is None:
            raise Unreadable(text, node.start, f"{rest[0]!r} cannot stand in what is no object")
        member = node.member(rest[0])
        if member is None:
            return _added(text, node, rest[0], _nested(rest[1:], value, {}))
        node, rest = member.value, rest[1:]
        if not rest:
            return text[: node.start] + _dumped(text, member, value) + text[node.end :]


def without_value(text: str, path: Path, *, table_too: bool = False) -> str:
    """The text without it, and, if asked, without a table that is left empty. Raises Unreadable."""
    node = spans(text)
    for key in path[:-1]:
        member = node.member(key)
        if member is None:
            return text
        node = member.value
    taken = _taken_out(text, node, path[-1])
    if table_too and len(path) > 1 and value_at(taken, path[:-1]) == {}:
        return without_value(taken, path[:-1])
    return taken


def _nested(path: Path, value: Mapping[str, Any], head: Mapping[str, str]) -> dict[str, Any]:
    found: Any = value
    for key in reversed(path):
        found = {key: found}
    return {**head, **found}


def _added(text: str, node: Node, key: str, value: Mapping[str, Any]) -> str:
    """After the last member and what is said about it."""
    brace = node.end - 1
    members = node.members or ()
    end = len(text[:brace].rstrip())
    if members and "\n" not in text[node.start : members[0].start]:
        return _added_inline(text, members[-1], key, value)
    newline = "\r\n" if "\r\n" in text else "\n"
    inner = _indent(text, members[0].start) if members else _indent(text, node.start) + _unit(text)
    dumped = json.dumps(value, ensure_ascii=False, indent=_unit(text))
    lines = f"{json.dumps(key, ensure_ascii=False)}: {dumped}".split("\n")
    block = newline + newline.join(inner + line for line in lines)
    if not members:
        return text[:end] + block + newline + _indent(text, node.start) + text[brace:]
    last = members[-1]
    comma = "" if last.comma is not None else ","
    return text[: last.value.end] + comma + text[last.value.end : end] + block + text[end:]


def _added_inline(text: str, last: Member, key: str, value: Mapping[str, Any]) -> str:
    """Beside the members that stand on one line."""
    at = last.value.end
    said = f", {json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
    return text[:at] + said + text[at:]


def _dumped(text: str, member: Member, value: Mapping[str, Any]) -> str:
    dumped = json.dumps(value, ensure_ascii=False, indent=_unit(text))
    newline = "\r\n" if "\r\n" in text else "\n"
    return (newline + _indent(text, member.start)).join(dumped.split("\n"))


def _taken_out(text: str, node: Node, key: str) -> str:
    member = node.member(key)
    if member is None or node.members is None:
        return text
    place = node.members.index(member)
    lead = _lead(text, node, place)
    if member.comma is not None:
        return text[:lead] + text[member.comma + 1 :]
    rest = text[member.value.end :]
    if place == 0:
        return text[:lead] + (rest.lstrip() if text[lead - 1] == "{" else rest)
    comma = node.members[place - 1].comma
    if comma is None:  # not in a text that was read
        return text
    return text[:comma] + text[comma + 1 : lead] + rest


def _lead(text: str, node: Node, place: int) -> int:
    """Where the blanks before a member begin; but a comment to the end of its line needs that end."""
    members = list(node.members or ())
    member = members[place]
    begin = members[place - 1].value.end if place else node.start + 1
    lead = len(text[: member.start].rstrip())
    return member.start if "//" in text[begin:lead].rpartition("\n")[2] else lead


def _indent(text: str, at: int) -> str:
    """The blanks at the beginning of the line."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())].lstrip("\ufeff")


def _unit(text: str) -> str:
    """What lines are indented by, as the first member of the file is."""
    members = list(spans(text).members or ())
    found = _indent(text, members[0].start) if members else ""
    return found if found and "\n" in text[: members[0].start] else _UNIT
