"""Who calls whom in Python sources, out of their syntax trees: for a target, or for everything in the files. Pure.

Names are matched by their last part, as a reader would first; what is decided only at run time is not seen.
"""

import ast
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

DEPTH = 5
MOST_DEFINITIONS = 200
_WORD = re.compile(r"[^\W\d]\w*")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@attrs.frozen(kw_only=True)
class Definition:
    """A function or class: its qualified name, its place, the last parts of the names that it calls."""

    name: str
    path: str
    line: int
    kind: str
    calls: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@attrs.frozen(kw_only=True)
class Module:
    """One parsed file, or the reason why it has none of this."""

    path: str
    definitions: tuple[Definition, ...] = ()
    imports: tuple[str, ...] = ()
    fault: str = ""


def parsed(path: str, text: str) -> Module:
    """What a file defines and imports."""
    try:
        tree = ast.parse(text)
        return Module(
            path=path,
            definitions=tuple(_definitions(tree, path, "")),
            imports=tuple(dict.fromkeys(_imports(tree))),
        )
    except (SyntaxError, ValueError) as fault:
        return Module(path=path, fault=f"not Python that can be parsed: {fault}")
    except (RecursionError, MemoryError):
        return Module(path=path, fault="nested too deeply to be parsed")


def traced(modules: Sequence[Module], target: str, mode: str) -> dict[str, Any]:
    """The call flow from the target, or what depends on what. A target that is not found leaves all definitions."""
    every = [each for module in modules for each in module.definitions]
    callers = _callers(every)
    wanted = set(_WORD.findall(target))
    starts = [each for each in every if each.last in wanted]
    shown = _reached(starts, every) if starts and mode == "precision" else (starts or every)
    found: dict[str, Any] = {
        "target_found": bool(starts),
        "definitions": [_as_json(each, callers) for each in shown[:MOST_DEFINITIONS]],
        "unparsed": {module.path: module.fault for module in modules if module.fault},
    }
    if len(shown) > MOST_DEFINITIONS:
        found["left_out"] = len(shown) - MOST_DEFINITIONS
    if mode == "dependencies":
        found["imports"] = {m.path: list(m.imports) for m in modules if m.imports}
    return found


def _definitions(node: ast.AST, path: str, within: str) -> Iterator[Definition]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Definition):
            name = f"{within}{child.name}"
            yield Definition(
                name=name,
                path=path,
                line=child.lineno,
                kind="class" if isinstance(child, ast.ClassDef) else "function",
                calls=tuple(dict.fromkeys(_calls(child))),
            )
            yield from _definitions(child, path, f"{name}.")
        else:
            yield from _definitions(child, path, within)


def _calls(definition: ast.AST) -> Iterator[str]:
    """The names that this definition calls itself, not those that a definition inside it calls."""
    waiting = deque(ast.iter_child_nodes(definition))
    while waiting:
        node = waiting.popleft()
        if isinstance(node, _Definition):
            continue
        if isinstance(node, ast.Call):
            yield from _called(node.func)
        waiting.extend(ast.iter_child_nodes(node))


def _called(function: ast.expr) -> Iterator[str]:
    if isinstance(function, ast.Name):
        yield function.id
    elif isinstance(function, ast.Attribute):
        yield function.attr


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def _callers(every: Iterable[Definition]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in every:
        for name in each.calls:
            found.setdefault(name, []).append(each.name)
    return found


def _reached(starts: Iterable[Definition], every: Iterable[Definition]) -> list[Definition]:
    """The starts, then what they call, and so on, each once, nearest first."""
    by_name: dict[str, list[Definition]] = {}
    for each in every:
        by_name.setdefault(each.last, []).append(each)
    reached = dict.fromkeys(starts, 0)
    waiting = deque(reached)
    while waiting:
        each = waiting.popleft()
        if reached[each] < DEPTH:
            for called in (d for name in each.calls for d in by_name.get(name, ())):
                if called not in reached:
                    reached[called] = reached[each] + 1
                    waiting.append(called)
    return list(reached)


def _as_json(each: Definition, callers: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "name": each.name,
        "kind": each.kind,
        "at": f"{each.path}:{each.line}",
        "calls": list(each.calls),
        "called_by": callers.get(each.last, []),
    }
