"""Our reader of env files against python-dotenv: every difference there is, by kind."""

import io
import logging

import pytest
from dotenv import dotenv_values

from exai_trio.settings import dotenv

ALIKE = [
    *("A=1", "A = 1 ", "  A=1", "A=\tx", "A= x  y ", "A==", "A=a=b", "A=ü", "A=", "A=''", 'A=""'),
    *("export A=1", "export\tA=1", "# A=1", "A=1\nA=2", "A=x\r\nB=y", "\ufeffA=1", "\fA=1"),
    *("A='x y'", 'A="x y"', "A=x'y", 'A="x" # note', "A='x'#note", 'A="say \\"hi\\""', "A='a\\nb'"),
    *('A="a\\nb"', 'A="a\\tb"', 'A="a\\qb"', 'A="\\u00e9"', 'A="\\\\"', "A=\\n", "A=\\$x"),
    *("A=x # note", "A=x#note", "A= # note", "A=#x", "A=$HOME", 'A="$B"', "A=x\vB=y"),
]
# Text, ours (None: a bad line, of which EXAI says that it is skipped, or stops where it would set something of its own), theirs.
DIFFERENT = {
    "nothing is expanded": [
        ("B=b\nA=${B}", {"B": "b", "A": "${B}"}, {"B": "b", "A": "b"}),
        ("A='${B}'", {"A": "${B}"}, {"A": ""}),
    ],
    "a value is on one line": [
        ('A="two\nlines"', None, {"A": "two\nlines"}),
        ("A='two\nlines'", None, {"A": "two\nlines"}),
    ],
    "names are those of variables": [
        ("A.B=1", None, {"A.B": "1"}),
        ("A-B=1", None, {"A-B": "1"}),
        ("1A=1", None, {"1A": "1"}),
        ("'A'=1", None, {"A": "1"}),
    ],
    "what has no value is no assignment": [("A", None, {"A": None})],
    "single quotes take no escapes": [
        ("A='it\\'s'", None, {"A": "it's"}),
        ("A='a\\\\b'", {"A": "a\\\\b"}, {"A": "a\\b"}),
    ],
    "double quotes take five escapes": [
        ('A="\\$x"', {"A": "$x"}, {"A": "\\$x"}),
        ('A="a\\\'b"', {"A": "a\\'b"}, {"A": "a'b"}),
    ],
    "a blank is a blank or a tab": [("A=x\u00a0# n", {"A": "x\u00a0# n"}, {"A": "x"})],
    "a carriage return alone ends no line": [("A=a\rB=b", {"A": "a\rB=b"}, {"A": "a", "B": "b"})],
    "a line that cannot be read is said": [
        ('A="open', None, {}),
        ("A='x'y", None, {}),
        ("A: 1", None, {}),
        ("set A=1", None, {}),
    ],
}


def theirs(text):
    logging.disable(logging.WARNING)
    try:
        return dict(dotenv_values(stream=io.StringIO(text)))
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("text", ALIKE)
def test_what_both_read_alike(text):
    """The usual forms have one meaning."""
    ours = dotenv.parse(text)

    assert (theirs(text), ()) == (ours.values, ours.bad_lines)


@pytest.mark.parametrize(
    ("text", "ours", "others"), [case for cases in DIFFERENT.values() for case in cases]
)
def test_what_is_read_differently_is_listed(text, ours, others):
    """A difference that is not in this list is a fault; one that is gone is to be taken out."""
    read = dotenv.parse(text)

    assert others == theirs(text)
    assert (ours or {}, ours is None) == (read.values, bool(read.bad_lines))
