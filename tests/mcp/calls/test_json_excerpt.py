"""JSON texts with their long strings cut."""

import json

import pytest
from hypothesis import given, strategies as st

from exai_trio.mcp.calls.json_excerpt import LONGEST, JsonExcerpt

STRINGS = st.lists(
    st.sampled_from(["a", '"', "\\", "\n", "ä", "😀", "\x00", "u", "d83d"]), max_size=12
).map("".join)


def excerpt_of(text, length):
    excerpt = JsonExcerpt()
    for start in range(0, len(text), length):
        excerpt.feed(text[start : start + length])
    return excerpt.fields()


@given(STRINGS, st.integers(0, 9_000), st.sampled_from([1, 2, 7, 1_000, 65_536]), st.booleans())
def test_strings_are_cut_and_all_else_stays(unit, times, length, ascii_only):
    """Wherever the pieces end, and whatever stands in the strings: no character and no escape is halved."""
    long = unit * times
    fields = {"status": "ok", "content": long, "deep": [{"more": long, "n": 1.5}, "x"]}
    text = json.dumps(fields, ensure_ascii=ascii_only).encode()
    found = excerpt_of(text[:] if len(text) < 200_000 else text, max(length, len(text) // 5_000))

    cut = found["content"]
    assert long.startswith(cut)
    assert cut == long or len(cut) > 4_000
    assert len(json.dumps(cut).encode()) <= 6 * LONGEST
    assert {"status": "ok", "content": cut, "deep": [{"more": cut, "n": 1.5}, "x"]} == found


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b'{"a":1', b'{"a":"', b"plain text", b'{"a":"\xff"}']
)
def test_what_is_no_object_is_said(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is
        excerpt_of(text, 3)


def test_memory_stays_small():
    """Of many fields that are each short no excerpt is kept."""
    excerpt = JsonExcerpt()
    for _ in range(100):
        excerpt.feed(b'["word"],' * 10_000)

    assert len(excerpt._kept) < 4_000_000
    with pytest.raises(ValueError, match="too long"):
        excerpt.fields()
