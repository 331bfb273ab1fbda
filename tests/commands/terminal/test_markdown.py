"""Markdown cut into blocks, and drawn within a width."""

import re

import pytest
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len

from exai_trio.commands.terminal.appearance import Appearance
from exai_trio.commands.terminal.markdown_blocks import Splitter
from exai_trio.commands.terminal.markdown_screen import MarkdownScreen, drawn

LOOK = Appearance(colour=True, drawn=True, passing=True)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
LINES = st.lists(
    st.sampled_from(
        [
            "",
            "text",
            "# head",
            "- item",
            "  more",
            "1. one",
            "```",
            "~~~",
            "| a | b |",
            "|---|---|",
            "> q",
            "===",
            "    x",
            "<b>",
            "[a]: b",
        ]
    ),
    max_size=30,
)


@given(lines=LINES, size=st.integers(1, 40))
@settings(deadline=None)
def test_nothing_is_lost_and_nothing_is_cut_twice(lines, size):
    """The blocks are the text, however it arrives."""
    text = "\n".join(lines)
    splitter = Splitter()
    blocks = [
        block
        for start in range(0, len(text), size)
        for block in splitter.feed(text[start : start + size])
    ]
    blocks += splitter.end()

    assert text == "".join(block.text for block in blocks)


def fed(text: str) -> list[str]:
    """What is complete before the end has come."""
    splitter = Splitter()
    return [block.text for letter in text for block in splitter.feed(letter)]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("one\n\ntwo\n", []),
        ("one\n\n# two\n", ["one\n\n"]),
        ("one\n\ntwo\n\n", ["one\n\n"]),
        ("- a\n- b\n- c\n", ["- a\n", "- b\n"]),
        ("```\none\n\ntwo\n", []),
        ("```\none\n\ntwo\n```\n\nafter\n\n", ["```\none\n\ntwo\n```\n\n"]),
    ],
)
def test_a_block_is_complete_when_another_begins(text, complete):
    """Items of a list one by one; code only when it ends."""
    assert complete == fed(text)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(width):
    """Words, code, tables, characters of two cells."""
    text = (
        "# 标题\n\n"
        + "很长的句子" * 20
        + "\n\n```\n"
        + "x = 1; " * 20
        + "\n```\n\n| a | b |\n|---|---|\n| "
        + "word " * 20
        + "| y |\n"
    )
    lines = ESCAPES.sub("", drawn(text, width, LOOK)).splitlines()

    assert all(cell_len(line) <= width for line in lines)


def test_html_is_text():
    """A model that writes List<int> means that; nothing of it is left out."""
    assert "List<int> and <div>" in ESCAPES.sub("", drawn("List<int> and <div>\n", 80, LOOK))


def test_lines_are_not_filled_up():
    """Blanks at their ends would be copied along."""
    shown = ESCAPES.sub("", drawn("> quote\n\n```\ncode\n```\n", 60, LOOK))

    assert all(line == line.rstrip() for line in shown.splitlines())


def test_without_colours_there_are_no_escapes():
    """NO_COLOR."""
    assert "\x1b" not in drawn("# a **b**\n", 40, Appearance(drawn=True))


def test_the_width_is_asked_anew_for_each_block():
    """The terminal may be resized meanwhile."""
    widths = iter([80, 20])
    written: list[str] = []
    sheet = MarkdownScreen(written.append, lambda: next(widths), LOOK)
    sheet.piece("word " * 15 + "\n\n" + "word " * 15 + "\n\n")
    sheet.finish()

    assert [1, 4] == [len(block.strip().splitlines()) for block in written]
