"""Options stand anywhere, and what cannot be understood is raised with the command that it belongs to."""

import pytest

from exai_trio.cli import MODULES
from exai_trio.commands.options import BUILDERS, parser
from exai_trio.commands.usage.parsing import UsageFault, command_first
from exai_trio.commands.usage.repair import repaired


def parsed(line: str):
    words = command_first(line.split(), MODULES)
    return parser(words[0]).parse_args(words)


@pytest.mark.parametrize(
    "line",
    [
        "call chat prompt=x more=y --json --timeout 5",
        "call --json chat prompt=x --timeout 5 more=y",
        "call chat --timeout=5 prompt=x --json more=y",
        "--json call chat prompt=x more=y --timeout 5",
        "--timeout 5 --json call chat prompt=x more=y",
    ],
)
def test_options_stand_anywhere(line):
    """Before the command, between its words, and after them."""
    found = parsed(line)

    assert ("call", "chat", ["prompt=x", "more=y"], True, 5.0) == (
        found.command,
        found.tool,
        found.words,
        found.json,
        found.timeout,
    )


def test_options_of_a_command_stand_behind_its_action():
    """`threads list --home DIR` as well as `threads --home DIR list`."""
    assert parsed("threads list --home /x --json") == parsed("threads --home /x list --json")


def test_what_follows_two_dashes_is_no_option():
    """A question may begin with a dash."""
    found = parsed("ask --json -- -v --json")

    assert (["-v", "--json"], True) == (found.words, found.json)


@pytest.mark.parametrize("line", ["ask what -f", "ask -m", "call chat --timeout"])
def test_a_word_is_not_taken_for_a_missing_value(line):
    """An option at the end lacks its value, whatever stands before it."""
    with pytest.raises(UsageFault, match="expected one argument"):
        parsed(line)


def test_a_fault_belongs_to_its_command():
    """So that what is said names it."""
    with pytest.raises(UsageFault) as caught:
        parsed("threads show x --jsn")

    assert "exai threads show" == caught.value.parser.prog


def test_options_are_not_abbreviated():
    """What works by chance today means something else tomorrow."""
    with pytest.raises(UsageFault):
        parsed("status --js")


@pytest.mark.parametrize("name", BUILDERS)
def test_a_command_alone_is_what_it_is_among_all(name):
    """The shim's start builds its own parser only."""
    alone, among = parser(name).below[name], parser().below[name]

    assert set(alone.options) == set(among.options)
    assert alone.examples == among.examples


@pytest.mark.parametrize("words", [["\x00"], ["call", "="], ["--"], [""], ["ask", "-"], ["-x"] * 9])
def test_any_words_are_repaired_to_something(words):
    """Whatever is typed, there is a line to try."""
    assert repaired(words, parser).startswith("exai ")


def test_the_outline_names_every_command():
    """Help on all of them is drawn from it."""
    assert list(BUILDERS) == list(parser("--help").below)
