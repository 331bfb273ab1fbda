"""Who calls whom in the sources that were read: for a target, or for everything in them. Pure.

Names are matched by their last part, as a reader would first, in whatever language; what is decided only at run time is not seen.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from exai_trio import structs
from exai_trio.tools.workflow.tracing.sources import FILE, Definition, Mention, Source

DEPTH = 5
MOST_DEFINITIONS = 200
# Of one definition, and of all in one answer: about 20,000 tokens.
MOST_NAMED = 50
MOST_NAMED_IN_ALL = 2_000
_WORD = re.compile(r"[^\W\d][\w$]*[?!]?")
_OPERATOR = r"(?:operator\s*)?[-+*/%<>=!~^&|@`\[\]]+"
_QUALIFIED = re.compile(
    rf"[^\W\d][\w$]*(?:(?:\.|::|->|#)(?:{_OPERATOR}|[\w$~]+[?!]?))*(?:\.|::|->|#)(?:{_OPERATOR}|[\w$~]+[?!]?)"
)
_SEPARATOR = re.compile(r"::|->|#")
Mode = Literal["precision", "dependencies"]


@structs.frozen(eq=False)
class _Placed:
    """A definition and the file that it is in."""

    path: str
    definition: Definition

    @property
    def name(self) -> str:
        return self.definition.name or "(top level)"

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


@structs.frozen
class _Place:
    """Where a name is mentioned: in which definition, at which line."""

    placed: _Placed
    line: int

    def as_json(self) -> dict[str, Any]:
        return {"name": self.placed.name, "at": self.placed.at(self.line)}


Places = Mapping[str, Sequence[_Place]]


def traced(sources: Mapping[str, Source], target: str, mode: Mode) -> dict[str, Any]:
    """The call flow from the target, or what depends on what; `sources` are by path. A target that is not found leaves all definitions."""
    every = [_Placed(path, each) for path, one in sources.items() for each in one.definitions]
    named = [each for each in every if each.definition.kind != FILE]
    starts = _starts(named, target)
    shown = _reached(starts, named) if starts and mode == "precision" else (starts or named)
    found: dict[str, Any] = {"target_found": bool(starts), **_described(shown, every, mode)}
    found["unparsed"] = {path: one.fault for path, one in sources.items() if one.fault}
    doubts = {path: one.doubt for path, one in sources.items() if one.doubt}
    if doubts:
        found["partly_parsed"] = doubts
    if mode == "dependencies":
        imports = {path: list(one.imports[:MOST_NAMED]) for path, one in sources.items()}
        found["imports"] = {path: names for path, names in imports.items() if names}
    return found


def _starts(named: Sequence[_Placed], target: str) -> list[_Placed]:
    """The definitions that the target names: by their qualified names if it has any, else by the last part."""
    whole = {_SEPARATOR.sub(".", name) for name in _QUALIFIED.findall(target)}
    ends = tuple(f".{name}" for name in whole)
    exactly = [each for each in named if f".{each.definition.name}".endswith(ends)] if ends else []
    words = {*_WORD.findall(target), *target.split()}  # an operator stands alone
    return exactly or [each for each in named if each.definition.last in words]


def _reached(starts: Sequence[_Placed], named: Sequence[_Placed]) -> list[_Placed]:
    """The starts, then what they call, and so on, each once, nearest first."""
    by_name: dict[str, list[_Placed]] = {}
    for each in named:
        by_name.setdefault(each.definition.last, []).append(each)
    reached = dict.fromkeys(starts, 0)
    waiting = deque(starts)
    while waiting:
        each = waiting.popleft()
        for call in each.definition.calls if reached[each] < DEPTH else ():
            for called in by_name.pop(call.name, ()):  # once found, all of that name are
                if called not in reached:
                    reached[called] = reached[each] + 1
                    waiting.append(called)
    return list(reached)


def _described(
    shown: Sequence[_Placed], every: Sequence[_Placed], mode: Mode
) -> dict[str, list[dict[str, Any]] | int]:
    """The definitions, as many as an answer has room for, and how many were left out."""
    callers = _places((each, each.definition.calls) for each in every)
    users = _places((each, each.definition.uses) for each in every)
    known = {each.definition.last for each in every}
    told, room = list[dict[str, Any]](), MOST_NAMED_IN_ALL
    for each in shown[:MOST_DEFINITIONS]:
        one = {"name": each.name, "kind": each.definition.kind}
        one["at"] = each.at(each.definition.line)
        lists = _flow(each, callers)
        if mode == "dependencies":
            lists |= _usage(each, users, known)
        told.append(one | {key: names[:MOST_NAMED] for key, names in lists.items()})
        told[-1] |= {
            f"{key}_left_out": len(names) - MOST_NAMED
            for key, names in lists.items()
            if len(names) > MOST_NAMED
        }
        room -= sum(min(len(names), MOST_NAMED) for names in lists.values())
        if room <= 0:
            break
    left_out = len(shown) - len(told)
    return {"definitions": told} | ({"left_out": left_out} if left_out else {})


def _flow(each: _Placed, callers: Places) -> dict[str, list[dict[str, Any]]]:
    return {
        "calls": [{"name": call.name, "line": call.line} for call in each.definition.calls],
        "called_by": [place.as_json() for place in callers.get(each.definition.last, ())],
    }


def _usage(each: _Placed, users: Places, known: set[str]) -> dict[str, list[dict[str, Any]]]:
    """What it uses without calling it, of what is defined in these files, and where it is used so."""
    uses = [use for use in each.definition.uses if use.name in known]
    return {
        "uses": [{"name": use.name, "line": use.line} for use in uses],
        "used_by": [place.as_json() for place in users.get(each.definition.last, ())],
    }


def _places(said: Iterable[tuple[_Placed, Sequence[Mention]]]) -> Places:
    found: dict[str, list[_Place]] = {}
    for placed, mentions in said:
        for each in mentions:
            found.setdefault(each.name, []).append(_Place(placed, each.line))
    return found
