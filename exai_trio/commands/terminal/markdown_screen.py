"""Draws Markdown on a terminal, block by block, as it arrives. What a block is, `markdown_blocks` says."""

import io
import re
from collections.abc import Callable

import attrs
from rich.console import Console as Screen
from rich.markdown import Markdown

from exai_trio import structs
from exai_trio.commands.terminal.appearance import Appearance
from exai_trio.commands.terminal.markdown_blocks import MARKDOWN, Block, Splitter

_CODE_THEME = "ansi_dark"  # the terminal's own colours, which fit its background
_PADDING = re.compile(r" +((?:\x1b\[[\d;]*m)*)$")


@structs.define(eq=False)
class MarkdownScreen:
    """`write` takes what is to be shown; `width` gives the terminal's columns, which may change meanwhile."""

    _write: Callable[[str], None]
    _width: Callable[[], int]
    _look: Appearance
    _splitter: Splitter = attrs.field(factory=Splitter)

    def piece(self, text: str) -> None:
        self._show(self._splitter.feed(text))

    def finish(self) -> None:
        """Draw also what is not complete."""
        self._show(self._splitter.end())

    def _show(self, blocks: list[Block]) -> None:
        for block in blocks:
            gap = "\n" if block.after_gap else ""
            self._write(gap + drawn(block.text, self._width(), self._look))


def drawn(markdown: str, width: int, look: Appearance) -> str:
    """The Markdown as lines of a terminal that is so many cells wide."""
    file = io.StringIO()
    screen = Screen(
        file=file,
        width=width,
        force_terminal=look.drawn,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    text = Markdown("", code_theme=_CODE_THEME, hyperlinks=False)
    text.parsed = MARKDOWN.parse(markdown)
    screen.print(text)
    return _without_padding(file.getvalue())


def _without_padding(text: str) -> str:
    """Lines without the blanks that fill them up, which would be copied along; without empty ones around all."""
    lines = [_PADDING.sub(r"\1", line) for line in text.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines).lstrip("\n")
