"""The questions of `exai init`."""

from io import StringIO

import pytest

from exai_trio.commands.initial.choices import Found, choices
from exai_trio.commands.initial.dialogue import Declined, Dialogue
from exai_trio.errors import ArgumentError

KEY = "c4nary.0123456789"
FOUND = Found(editors=("claude", "codex"))


def dialogue(said, typed: str, key: str = KEY) -> Dialogue:
    return Dialogue(console=said.console(), line=StringIO(typed).readline, secret=lambda _: key)


def test_enter_takes_the_default(said):
    """Of every question."""
    asked = dialogue(said, "\n\n\n")

    assert choices(FOUND)[0] == asked.choose(choices(FOUND))
    assert FOUND.editors == asked.editors(FOUND)
    asked.agreed()
    assert 3 == said.out.getvalue().count("]: ")


def test_a_key_is_asked_for_where_one_is_wanted(said):
    """It is not shown again."""
    chosen = dialogue(said, "2\n").choose(choices(FOUND))

    assert (("GLM_API_KEY", KEY),) == chosen.settings
    assert KEY not in said.out.getvalue() + said.err.getvalue()


def test_what_cannot_be_a_key_ends_it(said):
    """Before anything is written."""
    with pytest.raises(ArgumentError, match="blanks"):
        dialogue(said, "2\n", "two words").choose(choices(FOUND))


@pytest.mark.parametrize(
    ("typed", "editors"),
    [("none\n", ()), ("ALL\n", ("claude", "codex")), ("gemini, codex\n", ("gemini", "codex"))],
)
def test_editors_are_named(typed, editors, said):
    """Also ones that were not found."""
    assert editors == dialogue(said, typed).editors(FOUND)


def test_where_no_editor_is_none_is_asked_for(said):
    """One question less."""
    assert () == dialogue(said, "").editors(Found())
    assert "" == said.out.getvalue()


def test_what_says_nothing_is_asked_again(said):
    """With what is allowed; and not for ever."""
    assert choices(FOUND)[1].ask_for == "GLM_API_KEY"
    assert FOUND.editors == dialogue(said, "emacs\n\n").editors(FOUND)
    assert "names with commas" in said.out.getvalue()
    with pytest.raises(Declined):
        dialogue(said, "9\n0\nx\n1\n").choose(choices(FOUND))


@pytest.mark.parametrize("typed", ["no\n", "n\n", ""])
def test_no_is_no(typed, said):
    """And so is the end of input."""
    with pytest.raises(Declined):
        dialogue(said, typed).agreed()
