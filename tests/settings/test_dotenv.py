"""The grammar of ENV_FILE."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.settings import dotenv


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("  A = 1  \r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("# A=1\n\nB=", {"B": ""}),
        ("A=x # note", {"A": "x"}),
        ("A=x#y", {"A": "x#y"}),
        ("A= # note", {"A": ""}),
        ("A=#note", {"A": "#note"}),
        ("A='x # $y \\n'  # note", {"A": "x # $y \\n"}),
        ('A="a\\tb \\"c\\" \\\\ \\$d"', {"A": 'a\tb "c" \\ $d'}),
        ('A="$HOME"', {"A": "$HOME"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=b=c", {"A": "b=c"}),
    ],
)
def test_a_line_sets_one_name(text: str, values: dict[str, str]):
    """Quotes, comments, export and line ends are read as the module says, and nothing is expanded."""
    read = dotenv.parse(text)

    assert (values, ()) == (read.values, read.bad_lines)


@pytest.mark.parametrize(
    ("text", "name"), [("A", ""), ("1A=2", ""), ("A='x", "A"), ('A="x" y', "A"), ("=x", "")]
)
def test_a_line_that_is_no_assignment_is_named(text: str, name: str):
    """A broken line is given by its number and name, and sets nothing."""
    read = dotenv.parse(f"B=1\n{text}\n")

    assert ({"B": "1"}, ((2, name),)) == (read.values, read.bad_lines)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_a_quoted_value_reads_back(value: str):
    """What `quoted` writes, `parse` reads."""
    assert {"A": value} == dotenv.parse(f"A={dotenv.quoted(value)}").values


@given(st.text())
def test_any_text_is_read(text: str):
    """No text is too strange for the parser."""
    dotenv.parse(text)
