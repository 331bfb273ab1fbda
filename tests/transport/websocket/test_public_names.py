"""What the WebSocket border uses of trio-websocket and wsproto: public names alone, and no class of theirs as a base."""

import ast
from pathlib import Path

import exai_trio

PACKAGE = Path(exai_trio.__file__).parent
LIBRARIES = {"trio_websocket", "wsproto"}


def imported_from_libraries(tree):
    """The names under which this module knows a library or something of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                one.asname or one.name for one in node.names if one.name.split(".")[0] in LIBRARIES
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            yield from (one.asname or one.name for one in node.names)


def private_uses(source):
    """Lines with a private name of something that is not our own `self`, or with a base class of a library's."""
    if not any(library in source for library in LIBRARIES):
        return
    tree = ast.parse(source)
    theirs = set(imported_from_libraries(tree))
    for node in ast.walk(tree) if theirs else ():
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
                yield ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            yield from (
                ast.unparse(base)
                for base in node.bases
                if ast.unparse(base).split(".")[0] in theirs
            )


def test_the_border_uses_no_private_name_of_the_libraries():
    """And no subclass of theirs, in which each underscore could be."""
    found = {
        path.name: uses
        for path in PACKAGE.rglob("*.py")
        if (uses := list(private_uses(path.read_text(encoding="utf-8"))))
    }

    assert {} == found


def test_a_private_use_would_be_found():
    """As they once were."""
    source = """
import trio_websocket as tws
from wsproto.handshake import H11Handshake

class One(tws.WebSocketConnection):
    pass

class Two(H11Handshake):
    pass

def read(connection):
    return connection._reader_task()
"""

    assert {"tws.WebSocketConnection", "H11Handshake", "connection._reader_task"} == set(
        private_uses(source)
    )
