"""Python sources, by the `ast` module. Pure."""

import ast
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import cast

from exai_trio.tools.workflow.tracing import python_lines
from exai_trio.tools.workflow.tracing.sources import FILE, Drawn, Source, source

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read(text: str) -> Source:
    """What the file defines and imports, or why it cannot be said."""
    try:
        parsed = python_lines.parse(text)
    except (SyntaxError, ValueError) as fault:
        return Source(fault=f"not Python that can be parsed: {fault}")
    except (RecursionError, MemoryError):
        return Source(fault="nested too deeply to be parsed")
    imports: dict[str, None] = {}
    drawn = _drawn(parsed.tree, imports)
    return source(drawn, imports, _doubt(parsed.left_out))


def _doubt(left_out: Sequence[int]) -> str:
    if not left_out:
        return ""
    version = ".".join(map(str, sys.version_info[:2]))
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return f"line {left_out[0]}{more} cannot be parsed by this Python {version}; traced as far as it can be read"


def _drawn(tree: ast.Module, imports: dict[str, None]) -> list[Drawn]:
    """The file itself, then each definition before those inside it."""
    found: list[Drawn] = []
    waiting: list[tuple[ast.AST, Drawn]] = [(tree, Drawn(name="", line=1, kind=FILE))]
    while waiting:
        node, drawn = waiting.pop()
        found.append(drawn)
        waiting += [(each, _begun(each, drawn)) for each in reversed(_draw(node, drawn, imports))]
    return found


def _begun(definition: _Definition, around: Drawn) -> Drawn:
    return Drawn(
        name=f"{around.name}.{definition.name}".lstrip("."),
        line=definition.lineno,
        kind="class" if isinstance(definition, ast.ClassDef) else "function",
    )


def _draw(definition: ast.AST, drawn: Drawn, imports: dict[str, None]) -> list[_Definition]:
    """Note what this definition says itself; the definitions right inside it are returned."""
    inner: list[_Definition] = []
    waiting = deque(_inside(definition))
    while waiting:
        node = waiting.popleft()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                inner.append(node)
                continue
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                drawn.call(name, node.lineno)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                drawn.use(name, node.lineno)
            case ast.Import():
                imports.update(dict.fromkeys(alias.name for alias in node.names))
            case ast.ImportFrom():
                imports[f"{'.' * node.level}{node.module or ''}"] = None
            case _:
                pass
        waiting.extend(_inside(node))
    return inner


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Like ast.iter_child_nodes, in half the time."""
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (each for each in cast("list[object]", value) if isinstance(each, ast.AST))
