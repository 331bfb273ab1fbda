"""Which files fit, how they are numbered, and that what was shown stays shown."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.workspace.read import Reading
from exai_trio.workspace.token_budget import file_tokens, fit, numbered, room_for_files


def readings(**sizes):
    return {name: Reading(path=name, text="x" * 3 * size) for name, size in sizes.items()}


def shown(fitted):
    return [name for name, reading in fitted.items() if not reading.reason]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n", "   1| a\n   2| b"),
        ("a\n\nb", "   1| a\n   2| \n   3| b"),
        ("", "   1| "),
        ("a\r\n", "   1| a\r"),
        ("a\x0cb", "   1| a\x0cb"),
    ],
)
def test_lines_are_numbered_as_editors_do(text, expected):
    """Lines end at line feeds only, and the last line break begins no line."""
    assert expected == numbered(text)


def test_what_does_not_fit_is_listed_with_its_size():
    """In the order given files are taken while there is room; smaller ones that still fit are taken too."""
    fitted = fit(readings(a=50, b=80, c=20), [["a", "b", "c"]], 100)

    assert ["a", "c"] == shown(fitted)
    assert "about 82 tokens" in fitted["b"].reason
    assert fitted["b"].text == ""


def test_a_later_message_has_room_of_its_own():
    """What a later message names takes nothing from an earlier one, and may bring what did not fit there."""
    fitted = fit(readings(a=90, b=90, c=90), [["a", "b"], ["c"], ["b"]], 100)

    assert {"a", "b", "c"} == set(shown(fitted))


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4), max_size=4),
    st.lists(st.sampled_from("abcdef"), unique=True, max_size=4),
)
def test_more_messages_never_hide_what_was_shown(messages, more):
    """Whatever a new message names, what was shown before stays shown."""
    files = readings(a=10, b=30, c=60, d=90, e=120, f=0)
    before, after = fit(files, messages, 100), fit(files, [*messages, more], 100)
    named = {name for paths in messages for name in paths}

    assert named & set(shown(before)) <= set(shown(after))
    assert set(files) == set(after)


def test_room_follows_the_model():
    """Half of the context, or of a usual one where nobody knows it."""
    assert (500, 64_000) == (room_for_files(1000), room_for_files(None))
    assert file_tokens("ä" * 3) == 4


def test_long_files_are_numbered_to_their_end():
    """Beyond the numbers that are made once."""
    lines = numbered("x\n" * 5_002).split("\n")

    assert ["   1| x", "5000| x", "5001| x", "5002| x"] == [lines[n] for n in (0, 4999, 5000, 5001)]
