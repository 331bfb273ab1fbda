"""The shape of the package: what import-linter leaves out, since it does not look at imports for type checkers."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter


def imported(name: str, tree: ast.Module) -> Iterator[str]:
    """Every dotted name that this module may import, also those that are attributes of a module."""
    parts = name.split(".")
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _statements(owner: ast.AST) -> Iterator[ast.AST]:
    """All that are in it, at any depth: what they are made of is no import."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(owner, name, ()):
            yield node
            yield from _statements(node)


def graph_of(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Which of these modules imports which, imports for type checkers included."""
    return {
        name: {one for one in imported(name, tree) if one in trees and one != name}
        for name, tree in trees.items()
    }


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        return circle.args[1]
    return []


def test_no_module_imports_itself_by_way_of_others(sources):
    """There is no circle of imports, not even one that only a type checker goes round."""
    trees = {
        ".".join(("exai_trio", *path.with_suffix("").parts)): tree for path, _, tree in sources
    }

    assert [] == circle_in(graph_of(trees))


def test_a_circle_under_type_checking_is_found():
    """The look at circles sees imports that are only for type checkers."""
    texts = {
        "a.one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .two import Two",
        "a.two": "def f():\n  try:\n    pass\n  finally:\n    from .three import three",
        "a.three": "match 1:\n  case 1:\n    from a import one",
    }
    trees = {name: ast.parse(text) for name, text in texts.items()}

    assert {"a.one", "a.two", "a.three"} == set(circle_in(graph_of(trees)))


def test_a_daemon_loads_nothing_of_what_is_switched_off():
    """What starts the daemon leaves the mirror, the outbox, what speaks to Supabase, and MCP over HTTP on the disk."""
    program = (
        "import sys, exai_trio.commands.serve, exai_trio.daemon.app;"
        "print([name for name in sys.modules if name.split('.')[0] in {'supabase', 'postgrest', 'storage3', 'httpx', 'psycopg'}"
        " or name.startswith(('exai_trio.storage.mirror', 'exai_trio.storage.hosted', 'exai_trio.storage.supabase',"
        " 'exai_trio.storage.sqlite.mirrored', 'exai_trio.daemon.jobs.hosted_side', 'exai_trio.mcp.'))"
        " or name.startswith('exai_trio.daemon.streamable_http.') and not name.endswith('.open_service')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.strip()
