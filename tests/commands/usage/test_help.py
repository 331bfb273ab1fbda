"""Help as it is shown: in lines of the terminal's width, coloured on one alone, with examples; and what TAB offers."""

from argparse import Namespace

import attrs
import pytest

from exai_trio.commands.completion import on_tab
from exai_trio.commands.options import parser
from exai_trio.config import Config


@pytest.mark.parametrize("columns", [40, 80])
def test_help_fits_and_ends_with_examples(exai, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, err = exai("help", "ask")
    text, _, examples = out.partition("Examples:\n")

    assert (0, "") == (code, err)
    assert columns >= max(map(len, text.splitlines()))
    assert all("exai ask " in line for line in examples.splitlines())
    assert ("usage: exai ask [options] …" in text) == (columns == 40)


def test_help_is_coloured_where_that_is_wanted(exai, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[36mexai status" in exai("status", "--help")[1]


@pytest.fixture
def offered(tmp_path):
    """What an option or word of a command offers for what is typed of it."""
    top = parser()
    on_tab.attach(top, lambda: attrs.evolve(Config(), home=tmp_path))

    def ask(command, dest, prefix="", **given):
        below = top.below[command]
        (action,) = (one for one in (*below.shown_options, *below.positionals) if one.dest == dest)
        return action.completer(prefix=prefix, parsed_args=Namespace(**given))

    return ask


def test_tab_offers_what_can_stand_there(offered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").touch()

    assert {"chat", "debug"} <= set(offered("call", "tool"))
    assert {"auto", "glm-4.6"} <= set(offered("ask", "model"))
    assert [] == offered("ask", "thread")
    assert ["a.py"] == offered("ask", "files", "a")
    assert "prompt=" in offered("call", "words", tool="chat", words=[])
    assert ["files=a.py"] == offered("call", "words", "files=a", tool="chat", words=[])
