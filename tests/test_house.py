"""The house keeps its rules: how long a module and a function may be, how many share a room, and what a check that is off says."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "exai_trio"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40
MOST_MODULES = 16  # in a room
MOST_CHECKS_OFF = 95
_OFF = re.compile(r"#\s*noqa(?P<rules>:\s*[A-Z0-9, ]+)?(?P<reason>.*)")


def _shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_no_module_is_long():
    long = {
        _shown(path): lines
        for path in MODULES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_no_function_is_long():
    functions = (
        (_shown(path), node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert not [
        f"{place}: {node.name}"
        for place, node in functions
        if (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]


def test_no_room_is_crowded():
    rooms = [path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    assert not [_shown(room) for room in rooms if len([*room.glob("[!_]*.py")]) > MOST_MODULES]


def test_a_check_that_is_off_says_why_and_there_are_few():
    off = [
        (_shown(path), line.strip(), found)
        for path in MODULES
        for line in path.read_text(encoding="utf-8").splitlines()
        if (found := _OFF.search(line))
    ]
    assert not [(place, line) for place, line, found in off if not found["reason"].strip(" -#")]
    assert len(off) < MOST_CHECKS_OFF


def test_nothing_is_cast_to_anything():
    assert not [_shown(path) for path in MODULES if "cast(Any" in path.read_text(encoding="utf-8")]
