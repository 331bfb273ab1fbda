"""A text as pieces, and pieces as they are stored."""

import gzip
import os

import attrs
import pytest
from hypothesis import given, strategies as st

from exai_trio.bus.pieces import (
    GZIP,
    PLAIN,
    byte_length,
    described,
    pack,
    plain_pieces,
    unpack,
    worth_compressing,
)
from exai_trio.errors import PayloadDamagedError
from exai_trio.storage.contracts.stored_payloads import StoredPayload
from exai_trio.wire.payload_frames import PIECE_BYTES

TEXT = "aä€😀" * 200_000  # 2,000,000 bytes, and characters that lie over the edges of pieces


def stored(text, compression=GZIP, *, checksums=True):
    """The row of this text and its packed pieces."""
    packed = [pack(piece, compression) for piece in plain_pieces(text)]
    row = StoredPayload(
        transaction_id="txn_1",
        principal="owner",
        session_id="s",
        request_id="r",
        status="stored",
        size_bytes=byte_length(text),
        stored_bytes=sum(map(len, packed)),
        compression=compression,
        created_at=0.0,
        expires_at=9.0,
        pieces=tuple(described(piece, checksums=checksums) for piece in packed),
    )
    return row, packed


@given(st.text(max_size=400), st.integers(min_value=1, max_value=1_500))
def test_pieces_are_the_text(text, times):
    """They are its UTF-8, whole and in order, each of the same length but the last."""
    whole = text * times
    pieces = list(plain_pieces(whole))

    assert whole.encode() == b"".join(pieces)
    assert byte_length(whole) == len(b"".join(pieces))
    assert all(len(piece) == PIECE_BYTES for piece in pieces[:-1])


@pytest.mark.parametrize("compression", [GZIP, PLAIN])
def test_every_piece_can_be_read_by_itself(compression):
    """And together those that are compressed are a gzip file."""
    row, packed = stored(TEXT, compression)
    plain = [unpack(packed[number], row, number) for number in reversed(range(len(packed)))]

    assert TEXT.encode() == b"".join(reversed(plain))
    assert compression == PLAIN or TEXT.encode() == gzip.decompress(b"".join(packed))


@pytest.mark.parametrize("compression", [GZIP, PLAIN])
@pytest.mark.parametrize("checksums", [True, False])
def test_one_bit_is_found_in_each_piece(compression, checksums):
    """Wherever it is; without checksums gzip's own are all there is."""
    row, packed = stored(TEXT, compression, checksums=checksums)
    missed, found = 0, set()
    for number, piece in enumerate(packed):
        for at in (0, len(piece) // 3, len(piece) - 5):
            broken = bytearray(piece)
            broken[at] ^= 8
            try:
                missed += unpack(bytes(broken), row, number) != unpack(piece, row, number)
            except PayloadDamagedError as fault:
                found.add((fault.code, fault.details["piece"] == number))

    assert (missed == 0) == (checksums or compression == GZIP)
    assert found <= {("PAYLOAD_DAMAGED", True)}


def test_a_piece_that_is_cut_or_swells_is_damaged():
    """Also where no hash says so: its length is known, and no more is unpacked than a piece."""
    row, packed = stored(TEXT, checksums=False)
    bomb = pack(bytes(50 * PIECE_BYTES), GZIP)
    swollen = attrs.evolve(row, pieces=(described(bomb, checksums=False), *row.pieces[1:]))

    with pytest.raises(PayloadDamagedError):
        unpack(packed[0][:-1], row, 0)
    with pytest.raises(PayloadDamagedError):
        unpack(bomb, swollen, 0)


def test_what_hardly_shrinks_is_not_worth_compressing():
    assert worth_compressing(b"def f(): return 1\n" * 10_000)
    assert not worth_compressing(os.urandom(PIECE_BYTES))
