"""The house keeps its rules: how long a module and a function may be, how many share a room, and what a check that is off says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "exai_trio"
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40
MOST_MODULES = 16  # in a room
MOST_CHECKS_OFF = 95
_OFF = re.compile(r"#\s*noqa(?P<rules>:\s*[A-Z0-9, ]+)?(?P<reason>.*)")


def test_no_module_is_long(sources):
    long = {
        str(path): lines
        for path, text, _ in sources
        if (lines := len(text.splitlines())) > MOST_LINES
    }
    assert not long


def _long_functions(owner: ast.AST) -> Iterator[str]:
    """What is in a short statement is not looked at: it is short."""
    for node in ast.iter_child_nodes(owner):
        lines = getattr(node, "end_lineno", MOST_LINES_OF_A_FUNCTION) - getattr(node, "lineno", 0)
        if lines >= MOST_LINES_OF_A_FUNCTION:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name
            yield from _long_functions(node)


def test_no_function_is_long(sources):
    assert not [f"{path}: {name}" for path, _, tree in sources for name in _long_functions(tree)]


def test_a_long_function_is_found_wherever_it_is():
    """In a class, in a case; and one that is a line shorter is not."""
    body = "\n     1" * MOST_LINES_OF_A_FUNCTION
    text = f"class C:\n  match 1:\n   case 1:\n    async def inner():{body}\ndef long():{body}\ndef short():{body[:-7]}\n"

    assert ["inner", "long"] == [*_long_functions(ast.parse(text))]


def test_no_room_is_crowded():
    rooms = [path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    assert not [
        str(room.relative_to(PACKAGE))
        for room in rooms
        if len([*room.glob("[!_]*.py")]) > MOST_MODULES
    ]


def test_a_check_that_is_off_says_why_and_there_are_few(sources):
    off = [
        (str(path), line.strip(), found)
        for path, text, _ in sources
        for line in text.splitlines()
        if (found := _OFF.search(line))
    ]
    assert not [(place, line) for place, line, found in off if not found["reason"].strip(" -#")]
    assert len(off) < MOST_CHECKS_OFF


def test_nothing_is_cast_to_anything(sources):
    assert not [str(path) for path, text, _ in sources if "cast(Any" in text]
