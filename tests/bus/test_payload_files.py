"""The files of large results on a disk."""

import os

import pytest

from exai_trio.bus import payload_files
from exai_trio.bus.payload_files import Format, path_of, read_all, remove, stored_names, write
from exai_trio.storage.contracts.stored_payloads import StoredPayload

TEXT = "line of a long answer\n" * 50_000
DEFAULT = Format()
ID = "txn_ab00000000000000000000000000000000"


class Stopped(Exception):
    """Whoever writes is to stop."""


def row_of(written):
    return StoredPayload(
        transaction_id=ID,
        principal="owner",
        session_id="s",
        request_id="r",
        status="stored",
        size_bytes=written.size,
        stored_bytes=written.stored,
        compression=written.compression,
        sha256="",
        created_at=0.0,
        expires_at=9.0,
        pieces=written.pieces,
    )


def kept(folder, text=TEXT, how=DEFAULT):
    return row_of(write(path_of(folder, ID), text, how, lambda: None))


@pytest.mark.parametrize(
    ("text", "compression", "used"),
    [(TEXT, "gzip", "gzip"), (TEXT, "none", "none"),
     (os.urandom(400_000).hex()[:700_000], "gzip", "gzip"), ("".join(map(chr, range(0x4E00, 0x9FA5))) * 20, "gzip", "gzip")],
)  # fmt: skip
def test_what_was_written_is_read(tmp_path, text, compression, used):
    """Readable by its owner alone, in a folder named by the first two digits."""
    row = kept(tmp_path, text, Format(compression=compression))
    path = tmp_path / "ab" / ID

    assert text == b"".join(read_all(tmp_path, row)).decode()
    assert (used, path.stat().st_size) == (row.compression, row.stored_bytes)
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


def test_reading_begins_anywhere(tmp_path):
    row = kept(tmp_path)
    whole = TEXT.encode()

    for offset in (0, 1, 262_143, 262_144, 600_000, len(whole) - 1):
        piece = payload_files.read(tmp_path, row, offset)
        assert piece == whole[offset : offset + len(piece)]
        assert piece


@pytest.mark.parametrize("at", [0, 1, 3])
def test_who_is_stopped_leaves_nothing(tmp_path, at):
    """Neither a file that is whole nor the beginning of one."""
    steps = iter(range(100))

    def step():
        if next(steps) == at:
            raise Stopped

    with pytest.raises(Stopped):
        write(path_of(tmp_path, ID), TEXT, Format(), step)

    assert () == stored_names(tmp_path)


def test_it_has_its_name_once_it_is_whole(tmp_path):
    path = path_of(tmp_path, ID)
    seen = []
    write(path, TEXT, Format(), lambda: seen.append(path.exists()))

    assert {False} == set(seen)
    assert path.exists()


def test_a_disk_that_refuses_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(payload_files, "write_all", _full)
    with pytest.raises(OSError, match="No space"):
        kept(tmp_path)

    assert () == stored_names(tmp_path)


def _full(_descriptor, _data):
    raise OSError(28, "No space left on device")


def test_names_are_those_of_whole_and_unfinished_files(tmp_path):
    row = kept(tmp_path)
    path_of(tmp_path, "txn_cd").parent.mkdir()
    path_of(tmp_path, "txn_cd").with_name("txn_cd.new").touch()

    assert (row.transaction_id, "txn_cd") == stored_names(tmp_path)
    remove(tmp_path, (ID, "txn_cd", "txn_none"))
    assert () == stored_names(tmp_path)


def test_without_checksums_no_hash_is_made(tmp_path):
    row = kept(tmp_path, how=Format(checksums=False))

    assert {""} == {piece.xxh64 for piece in row.pieces}
