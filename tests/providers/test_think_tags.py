"""<think> tags in an answer."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.providers.answers.accumulator import Assembly
from exai_trio.providers.answers.think_tags import ThinkTags


def split(pieces):
    answer, tags = Assembly(), ThinkTags()
    for delta in [delta for piece in pieces for delta in tags.feed(piece)] + tags.end():
        answer.add(delta)
    return "".join(answer.reasoning), "".join(answer.text)


CASES = [
    ("plain text", ("", "plain text")),
    ("<think>hm</think>yes", ("hm", "yes")),
    ("\n<think>hm</think>\n\nyes", ("hm", "yes")),
    ("<think>never closed", ("never closed", "")),
    ("<think></think>yes", ("", "yes")),
    ("a <think> in the middle stays", ("", "a <think> in the middle stays")),
    ("<thin air", ("", "<thin air")),
    ("<thi", ("", "<thi")),
    ("<think>a </thin b</think>c", ("a </thin b", "c")),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_whole(text, expected):
    """Only tags at the very beginning are thinking; all else is left alone."""
    assert split([text]) == expected


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_letter_by_letter(text, expected):
    """The pieces make no difference, except to white space after the closing tag."""
    thought, answer = split(list(text))

    assert (thought, answer.lstrip()) == expected


@given(st.lists(st.text("<think/>ab ", max_size=9), max_size=6))
def test_nothing_is_lost(pieces):
    """Every letter comes out once, but for the tags and the white space around them."""
    thought, answer = split(pieces)

    letters = "".join(pieces).replace("<think>", "", 1).replace("</think>", "", 1)
    assert sorted(
        (thought + answer).replace("<think>", "").replace("</think>", "").replace(" ", "")
    ) == sorted(letters.replace("<think>", "").replace("</think>", "").replace(" ", ""))
