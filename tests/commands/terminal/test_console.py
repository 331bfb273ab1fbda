"""Lines for a terminal: measured in cells, wrapped at blanks, cut where they pass by."""

import attrs
import pytest

from exai_trio.commands.console import columns
from exai_trio.commands.terminal.appearance import appearance
from exai_trio.commands.terminal.text_width import cells, cut, wrapped


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("你好你好", 5, "你好…"),
        ("你好你好", 4, "你…"),
        ("", 0, ""),
    ],
)
def test_a_line_is_cut_to_its_cells(text, width, short):
    """Characters of two cells count as two."""
    assert short == cut(text, width)
    assert cells(short) <= width


def test_a_line_is_wrapped_at_blanks():
    """Further lines are indented; a word that is too long stays whole, to be copied."""
    assert ["one two", "  three", "  /a/long/path/to/x"] == list(
        wrapped("one two three /a/long/path/to/x", 8, "  ")
    )


def test_the_status_line_fits(said):
    """A long name leaves no debris: the line is one cell shorter than the terminal."""
    console = attrs.evolve(said.console(live=True), columns=lambda: 20)
    console.status("  1.0 s  asking a-model-with-a-very-long-name 你好")
    (line,) = said.err.getvalue().split("\r\x1b[K")[1:]

    assert cells(line) <= 19


def test_notes_are_wrapped_for_who_watches(said):
    """And left alone for a file."""
    text = "word " * 10 + "end"
    attrs.evolve(said.console(live=True), columns=lambda: 20).note(text)
    assert all(cells(line) <= 20 for line in said.err.getvalue().splitlines())

    before = said.err.getvalue()
    said.console().note(text)
    assert f"{text}\n" == said.err.getvalue().removeprefix(before)


def test_columns_are_cut_on_a_terminal_alone():
    """A pipe gets all of it; and wide characters are measured."""
    rows = [("你好", "x" * 30), ("a", "y")]

    assert ["你好  xxx…", "a     y"] == columns(rows, 10).splitlines()
    assert 30 == columns(rows).count("x")


@pytest.mark.parametrize(
    ("environ", "plain", "told"),
    [
        ({"TERM": "xterm"}, False, (True, True, True)),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, (False, True, True)),
        ({"TERM": "dumb"}, False, (False, False, False)),
        ({}, False, (False, False, False)),
        ({"TERM": "xterm", "FORCE_COLOR": "0"}, True, (False, False, False)),
    ],
)
def test_what_a_terminal_may_be_sent(environ, plain, told):
    """By its own wishes and the user's."""
    look = appearance(environ, screen=True, live=True, plain=plain)

    assert told == (look.colour, look.drawn, look.passing)


def test_off_a_terminal_nothing_is_drawn_unless_forced():
    """FORCE_COLOR draws; NO_COLOR beats it."""
    off = appearance({"TERM": "xterm"}, screen=False, live=False)
    forced = appearance({"FORCE_COLOR": "1"}, screen=False, live=False)
    both = appearance({"FORCE_COLOR": "1", "NO_COLOR": "1"}, screen=False, live=False)

    assert (False, False) == (off.drawn, off.colour)
    assert (True, True) == (forced.drawn, forced.colour)
    assert (True, False) == (both.drawn, both.colour)
