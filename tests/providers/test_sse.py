"""Events out of bytes."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from exai_trio.providers.answers import sse
from exai_trio.providers.answers.sse import EventReader, LineTooLong

data = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20).map(str.encode)


def read(pieces):
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


@given(
    st.lists(data, max_size=8),
    st.lists(st.integers(0, 200), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_events_survive_any_cutting(events, cuts, end_of_line):
    """However the network cuts the stream, the same events come out."""
    stream = b"".join(b"data: " + event + end_of_line * 2 for event in events)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:stop] for start, stop in pairwise(borders)]

    assert read(pieces) == events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b": keep-alive\n\ndata: 1\n\n", [b"1"]),
        (b"event: error\nid: 7\nretry: 3\ndata: 1\n\n", [b"1"]),
        (b"data:1\n\n", [b"1"]),
        (b"data:  1\n\n", [b" 1"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: 1", [b"1"]),
        (b"data: 1\n", [b"1"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_the_odd_corners_of_the_format(stream, events):
    """Comments, other fields, missing blanks, several lines, a last line without an end."""
    assert read([stream]) == events


def test_a_line_without_end_is_given_up(monkeypatch):
    """Memory is bounded whatever the peer sends."""
    monkeypatch.setattr(sse, "LONGEST_LINE", 10)

    with pytest.raises(LineTooLong):
        EventReader().feed(b"data: " + b"x" * 20)
