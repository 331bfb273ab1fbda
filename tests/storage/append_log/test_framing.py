"""Records are whole or not there, wherever they were torn and whatever was flipped."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.storage.append_log.framing import (
    HEAD_BYTES,
    body_at,
    end_of,
    head_of,
    records_in,
)

BODIES = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6)
SEGMENT = 7


def written(bodies, segment=SEGMENT):
    content = b""
    for body in bodies:
        content += head_of(segment, len(content), body) + body
    return content


def read(content, segment=SEGMENT):
    return [bytes(body) for _, body in records_in(segment, content)]


@given(BODIES)
def test_records_come_back_in_order(bodies):
    """Each at the place where it was written, from bytes as from a view of them."""
    content = written(bodies)
    places = [place for place, _ in records_in(SEGMENT, content)]

    assert bodies == read(content) == read(memoryview(content))
    assert bodies == [body_at(SEGMENT, place, content) for place in places]
    assert len(content) == end_of(places[-1], bodies[-1])


@given(BODIES)
def test_a_log_that_is_torn_anywhere_gives_all_that_is_whole(bodies):
    """At every byte, also where zeros stand instead: what is as it was written, and nothing else."""
    content, ends = written(bodies), [len(written(bodies[: n + 1])) for n in range(len(bodies))]

    for cut in range(len(content) + 1):
        zeroed = content[:cut].ljust(len(content) + 64, b"\0")
        whole = sum(end <= cut for end in ends)
        as_written = sum(zeroed[:end] == content[:end] for end in ends)
        assert bodies[:whole] == read(content[:cut])
        assert bodies[:as_written] == read(zeroed)


@given(BODIES, st.data())
def test_a_flipped_bit_costs_its_record_and_what_follows(bodies, data):
    """Wherever it is; what stands before it is there."""
    content = bytearray(written(bodies))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    before = sum(len(written(bodies[: n + 1])) <= bit // 8 for n in range(len(bodies)))

    assert bodies[:before] == read(bytes(content))


@given(st.binary(min_size=1, max_size=40), st.integers(1, 2**40), st.integers(1, 100))
def test_a_record_is_one_only_where_it_was_written(body, segment, shift):
    """In another segment, or at another place, it is none."""
    content = written([body], segment)

    assert body == body_at(segment, 0, content)
    assert body_at(segment + shift, 0, content) is None
    assert body_at(segment, shift, bytes(shift) + content) is None


@pytest.mark.parametrize("content", [b"", bytes(HEAD_BYTES), bytes(4096), b"\xff" * 4096])
def test_zeros_and_ones_are_no_record(content):
    """As a file system leaves them where nothing was written."""
    assert [] == read(content)


def test_an_empty_body_is_no_record():
    """Else a checksum of nothing would do."""
    assert [] == read(head_of(SEGMENT, 0, b""))
