"""Every public async function says what cancelling it leaves behind: itself, its class, or the Protocol that it fills in."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "exai_trio"


class Function(NamedTuple):
    """`said` is its docstring and its class's; `protocol`: it is a method of one."""

    place: str
    name: str
    said: str
    protocol: bool


def _said(node: ast.AST) -> str:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return (isinstance(node, documented) and ast.get_docstring(node)) or ""


def _public(
    owner: ast.AST, place: str, said: str = "", protocol: bool = False
) -> Iterator[Function]:
    for node in ast.iter_child_nodes(owner):
        if getattr(node, "name", "_").startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            is_protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            yield from _public(node, f"{place}:{node.name}", _said(node), is_protocol)
        elif isinstance(node, ast.AsyncFunctionDef):
            yield Function(f"{place}:{node.name}", node.name, f"{said} {_said(node)}", protocol)


def _mentions(function: Function) -> bool:
    return "cancel" in function.said.lower()


def test_the_contracts_of_tools_speak_of_cancelling():
    """`run` of a tool and `look` of a workflow tool are described where they are declared."""
    for module in ("tools/base.py", "tools/workflow/definition.py"):
        assert "ancelling" in (PACKAGE / module).read_text(encoding="utf-8"), module


def test_public_async_functions_say_what_cancelling_leaves(sources):
    functions = [one for path, _, tree in sources for one in _public(tree, str(path))]
    by_contract = {f.name for f in functions if f.protocol and _mentions(f)} | {"run", "look"}
    silent = [f.place for f in functions if not _mentions(f) and f.name not in by_contract]

    assert len(functions) > 100
    assert not silent
