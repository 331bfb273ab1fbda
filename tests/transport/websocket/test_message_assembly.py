"""Messages out of parts, without any stream."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.transport.websocket.message_assembly import Assembly, TooLargeError

PARTS = st.lists(st.text(), min_size=1) | st.lists(st.binary(), min_size=1)


def assembled(assembly, parts):
    whole = [assembly.add(part, is_last=n == len(parts)) for n, part in enumerate(parts, 1)]
    assert [None] * (len(parts) - 1) == whole[:-1]
    return whole[-1]


@given(st.lists(PARTS, max_size=5))
def test_what_is_cut_comes_back_whole(messages):
    """Each message by itself, text as text and bytes as bytes."""
    assembly = Assembly(10**6, 10**6)
    for parts in messages:
        assert type(parts[0])().join(parts) == assembled(assembly, parts)


@given(PARTS)
def test_the_limit_is_in_bytes(parts):
    """What has as many as the limit is taken, one more is too large."""
    whole = type(parts[0])().join(parts)
    size = len(whole.encode()) if isinstance(whole, str) else len(whole)

    assert whole == assembled(Assembly(size, 0), parts)
    if size:
        with pytest.raises(TooLargeError):
            assembled(Assembly(size - 1, 10**6), parts)


def test_parts_without_content_are_not_kept():
    """However many there are."""
    assembly = Assembly(10, 10)
    for _ in range(1000):
        assembly.add("", is_last=False)

    assert not assembly.has_begun
    assert "" == assembly.add("", is_last=True)
