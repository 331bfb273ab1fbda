"""The border to tree-sitter: source text in, the matches of its queries out as plain values.

Only the reading process imports it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from tree_sitter import Language as Grammar, Node, Parser, Query, QueryCursor

from exai_trio import structs
from exai_trio.tools.workflow.tracing import macros
from exai_trio.tools.workflow.tracing.languages import Language

_QUERIES = Path(__file__).parent / "queries"


@structs.define  # not frozen: of a large file there are a hundred thousand
class Piece:
    """A captured part of the text, in bytes; `line` counts from 1."""

    start: int
    end: int
    line: int
    text: str


Match = Mapping[str, Piece]  # by the name of the capture


def matches(language: Language, text: str) -> Iterator[Match]:
    """All matches of the language's queries, and a match `fault` for the first place that is not in the grammar."""
    content = (macros.blanked(text) if language.has_macros else text).encode(errors="replace")
    grammar, query, faults = _loaded(language)
    root = Parser(grammar).parse(content).root_node
    for _, captured in QueryCursor(query).matches(root):
        yield {name: _piece(nodes[0], content) for name, nodes in captured.items()}
    if root.has_error:
        # In no order: nodes are kept by where they are in memory.
        found = [node for nodes in QueryCursor(faults).captures(root).values() for node in nodes]
        if found:
            yield {"fault": _piece(min(found, key=_place), content)}


@cache
def _loaded(language: Language) -> tuple[Grammar, Query, Query]:
    grammar_of: Callable[[], object] = getattr(import_module(language.package), language.entry)
    grammar = Grammar(grammar_of())
    asked = "\n".join((_QUERIES / f"{name}.scm").read_text() for name in language.queries)
    return grammar, Query(grammar, asked), Query(grammar, "[(ERROR) (MISSING)] @fault")


def _place(node: Node) -> tuple[int, int]:
    return node.start_byte, node.end_byte


def _piece(node: Node, content: bytes) -> Piece:
    start, end = node.start_byte, node.end_byte
    # Of a definition only the place matters.
    text = content[start : min(end, start + 1000)].decode(errors="replace")
    return Piece(start, end, node.start_point.row + 1, text)
