"""The log file that renames itself."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exai_trio.observability.rotating_file import RotatedFile


def record(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RotatedFile]:
    handler = RotatedFile(tmp_path / "a.log", max_bytes=20, keep=2)
    yield handler
    handler.close()


def test_a_full_file_is_renamed(file: RotatedFile, tmp_path: Path):
    """The newest lines are in the file, older ones in .1 and .2, and what is older still is gone."""
    for number in range(8):
        file.emit(record(f"line {number:04}"))

    assert {
        "a.log": "line 0006\nline 0007\n",
        "a.log.1": "line 0004\nline 0005\n",
        "a.log.2": "line 0002\nline 0003\n",
    } == {path.name: path.read_text() for path in tmp_path.iterdir()}


def test_nobody_else_may_read_it(file: RotatedFile, tmp_path: Path):
    """The file is made with mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        file.emit(record("x"))
    finally:
        os.umask(before)

    assert 0o600 == (tmp_path / "a.log").stat().st_mode & 0o777


def test_a_file_renamed_by_another_is_left(file: RotatedFile, tmp_path: Path):
    """When another process has rotated, the next line goes into the new file."""
    file.emit(record("old"))
    (tmp_path / "a.log").replace(tmp_path / "a.log.1")
    file.emit(record("new"))

    assert "new\n" == (tmp_path / "a.log").read_text()


def test_a_full_disk_is_borne(capfd: pytest.CaptureFixture[str]):
    """What cannot be written is counted and dropped, without a traceback."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs a device that is always full")
    handler = RotatedFile(full, max_bytes=100, keep=1)
    for _ in range(3):
        handler.handle(record("x"))
    handler.close()

    assert (3, ("", "")) == (handler.dropped, capfd.readouterr())


def test_a_line_that_the_disk_takes_in_part_is_dropped(
    file: RotatedFile, tmp_path: Path, no_file_over
):
    """It is counted, and the next line does not stand behind a piece of it."""
    file.emit(record("first"))
    with no_file_over(10):
        file.emit(record("second"))
    file.emit(record("third"))

    assert 1 == file.dropped
    assert "first\nthird\n" == (tmp_path / "a.log").read_text()


def test_a_folder_that_cannot_be_made_is_borne_until_it_can_be(tmp_path: Path):
    """A file in the way loses lines, and nothing else; without it the folder is made."""
    (tmp_path / "gone").write_text("in the way")
    handler = RotatedFile(tmp_path / "gone" / "a.log", max_bytes=100, keep=1)
    handler.handle(record("x"))
    (tmp_path / "gone").unlink()
    handler.handle(record("y"))
    handler.close()

    assert 1 == handler.dropped
    assert "y" in (tmp_path / "gone" / "a.log").read_text()


def test_an_oversized_line_has_a_file_of_its_own(file: RotatedFile, tmp_path: Path):
    """A line longer than the limit is written, and does not rotate for ever."""
    file.emit(record("x" * 50))
    file.emit(record("y"))

    assert ("y\n", "x" * 50 + "\n") == (
        (tmp_path / "a.log").read_text(),
        (tmp_path / "a.log.1").read_text(),
    )
