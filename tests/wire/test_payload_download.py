"""A large result on its way to a client, whatever becomes of its connections."""

import hashlib

import attrs
import pytest
from hypothesis import given, strategies as st
from msgspec import UNSET

from exai_trio.wire.codec import WireError
from exai_trio.wire.messages import CallResult, Output
from exai_trio.wire.payload_download import PayloadDownload
from exai_trio.wire.payload_frames import (
    MOST_UNANSWERED,
    PIECE_BYTES,
    Payload,
    PayloadRef,
    decode_piece,
    encode_piece,
    reference_in,
)

REF = PayloadRef(
    transaction_id="txn_1",
    size=0,
    stored_size=1,
    compression="gzip",
    expires_at="2026-12-01T00:00:00Z",
)


def ref_to(data, **more):
    return attrs.evolve(REF, size=len(data), sha256=hashlib.sha256(data).hexdigest(), **more)


def answer(data, get, most=PIECE_BYTES):
    end = min(get.offset + most, (get.offset // PIECE_BYTES + 1) * PIECE_BYTES)
    piece = data[get.offset : end]
    about = Payload(request_id=get.request_id, offset=get.offset, last=end >= len(data))
    return decode_piece(encode_piece(about, piece))


@given(
    st.integers(min_value=1, max_value=5 * PIECE_BYTES),
    st.lists(st.integers(min_value=0, max_value=6), max_size=8),
    st.sampled_from([PIECE_BYTES, PIECE_BYTES // 3, 100_000]),
)
def test_it_arrives_whole_and_once(size, cuts, most):
    """After each so many answers the connection is lost, with all that was asked on it; some daemons give less than a piece."""
    data = bytes(number % 251 for number in range(997)) * (size // 997 + 1)
    data = data[:size]
    download, got, left = PayloadDownload("r", ref_to(data)), b"", list(cuts)
    while not download.is_complete:
        asked = download.due()
        answered = left.pop(0) if left else 1_000
        while asked and answered:
            got += download.take(answer(data, asked.pop(0), most))
            answered -= 1
            asked += download.due()
        if not download.is_complete and not asked:
            assert not answered or download.due() == []
        download.reconnect()

    assert data == got
    assert None is download.fault()
    assert [] == download.due()


def test_no_more_than_four_are_unanswered():
    """The next are asked for two at a time: the daemon reads both in one go."""
    data = bytes(10 * PIECE_BYTES)
    download = PayloadDownload("r", ref_to(data))
    first = download.due()

    assert [0, 1, 2, 3] == [get.offset // PIECE_BYTES for get in first]
    assert (4, []) == (MOST_UNANSWERED, download.due())
    download.take(answer(data, first[0]))
    assert [] == download.due()
    download.take(answer(data, first[1]))
    assert [4, 5] == [get.offset // PIECE_BYTES for get in download.due()]


def test_what_is_not_what_was_stored_is_a_fault():
    """A bit that differs; without a hash there is nothing to hold it to."""
    data = b"x" * 100
    download = PayloadDownload("r", ref_to(data))
    (get,) = download.due()
    download.take(answer(b"x" * 99 + b"y", get))
    unknown = PayloadDownload("r", attrs.evolve(download.ref, sha256=UNSET))
    (get,) = unknown.due()
    unknown.take(answer(b"y" * 100, get))

    assert ("PAYLOAD_DAMAGED", False) == (download.fault().code, download.fault().retryable)
    assert None is unknown.fault()


@pytest.mark.parametrize("data", [b"x" * 101, b""])
def test_a_piece_that_cannot_be_is_refused(data):
    download = PayloadDownload("r", ref_to(b"x" * 100))
    download.due()
    piece = decode_piece(encode_piece(Payload(request_id="r", offset=0, last=True), data))

    with pytest.raises(WireError):
        download.take(piece)


@given(st.binary(max_size=300))
def test_any_frame_is_a_piece_or_a_wire_error(frame):
    try:
        decode_piece(frame)
    except WireError:
        return


@given(st.dictionaries(st.sampled_from(["transaction_id", "size", "sha256", "payload_ref"]), st.text() | st.integers()))  # fmt: skip
def test_a_reference_is_one_or_a_wire_error(told):
    result = CallResult(request_id="r", outputs=[Output(text="", metadata={"payload_ref": told})])
    with pytest.raises(WireError):
        reference_in(result)
    assert None is reference_in(CallResult(request_id="r", outputs=[Output(text="")]))
