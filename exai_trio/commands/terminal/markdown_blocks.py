"""Cuts Markdown that arrives in pieces into blocks that are complete, so that each can be drawn as soon as it is there. Pure.

A block is complete when another one has begun after it. Of a list, which may be long, each item is a block of its own.
"""

import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from exai_trio import structs

# HTML is text to us: a model that writes List<int> means just that.
MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_MAY_BEGIN: Final = re.compile(r"\s*($|#|`{3}|~{3}|[-*+>]|\d+[.)])")  # a block, or end one
_ITEM: Final = "list_item_open"


@structs.frozen(kw_only=True)
class Block:
    """`after_gap`: an empty line stands before it."""

    text: str
    after_gap: bool = True


@structs.define
class Splitter:
    """`feed` it what comes; `end` gives what is left. Nothing is lost: the texts of the blocks are the text, line by line."""

    _rest: str = ""
    _seen: int = 0  # of the rest: lines that hold no end of a block
    _is_first: bool = True
    _in_list: bool = False

    def feed(self, piece: str) -> list[Block]:
        self._rest += piece
        complete = self._rest.rfind("\n") + 1
        if complete <= self._seen or not self._may_end(self._rest[self._seen : complete]):
            return []
        blocks = [self._taken(*span) for span in _spans(self._rest[:complete])[:-1]]
        self._seen = self._rest.rfind("\n") + 1
        return blocks

    def end(self) -> list[Block]:
        return [self._taken(*span) for span in _spans(self._rest)]

    def _may_end(self, lines: str) -> bool:
        """Parsing at each line would be slow for long blocks."""
        fence = _FENCE.match(self._rest)
        if fence is not None and self._seen > 0:
            return fence[1] in self._rest[len(fence[0]) :]  # closed, as far as one sees
        return any(_MAY_BEGIN.match(line) for line in lines.splitlines())

    def _taken(self, length: int, is_item: bool) -> Block:  # noqa: FBT001  # of a pair
        text, self._rest = self._rest[:length], self._rest[length:]
        gap = not (self._is_first or (is_item and self._in_list))
        self._is_first, self._in_list = False, is_item
        return Block(text=text, after_gap=gap)


def _spans(text: str) -> list[tuple[int, bool]]:
    """Lengths of the blocks of the text, in characters, and whether each is an item of a list."""
    lines = text.splitlines(keepends=True)
    starts = list(_starts(MARKDOWN.parse(text)))
    if not starts:
        return [(len(text), False)] if text else []
    places = [0, *(start for start, _ in starts[1:]), len(lines)]
    return [
        (sum(map(len, lines[first:end])), is_item)
        for first, end, (_, is_item) in zip(places, places[1:], starts, strict=False)
    ]


def _starts(tokens: list[Token]) -> Iterator[tuple[int, bool]]:
    for token in tokens:
        if token.map is None:
            continue
        if token.level == 0 and not token.type.endswith("list_open"):
            yield token.map[0], False
        elif token.level == 1 and token.type == _ITEM:
            yield token.map[0], True
