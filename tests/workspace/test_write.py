"""New files are whole or not there, and nothing is overwritten."""

import errno
import os
import pathlib
import subprocess
import sys
from pathlib import Path

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.workspace import write
from exai_trio.workspace.write import Place, write_new

SIZE = 100_000_000
SLOW_WRITER = """
import sys
from pathlib import Path
from exai_trio.workspace import write
{without}
print("go", flush=True)
write.write_new(write.Place(folder=Path(sys.argv[1]), name="big"), "big", bytes({size}))
"""


@pytest.fixture(params=["nameless", "draft"])
def way(request, monkeypatch):
    """Both ways: of a file system that has files without a name, and of one that has none."""
    if request.param == "draft":
        monkeypatch.setattr(write, "_NAMELESS", os.O_DIRECTORY)  # cannot be opened for writing
    return request.param


@pytest.mark.usefixtures("way")
def test_a_new_file_is_private_and_alone(tmp_path):
    path = write_new(Place(folder=tmp_path), "notes.txt", b"text")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"text", 0o600)
    assert _names(tmp_path) == ["notes.txt"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("again", [False, True])
def test_nothing_is_overwritten(tmp_path, again):
    """Also not by a second run, if what lies there is not what it would write."""
    (tmp_path / "taken").write_bytes(b"theirs")

    with pytest.raises(ArgumentError, match="nothing is overwritten"):
        write_new(Place(folder=tmp_path, name="taken"), "", b"ours!!", again=again)

    assert (tmp_path / "taken").read_bytes() == b"theirs"
    assert _names(tmp_path) == ["taken"]


@pytest.mark.usefixtures("way")
def test_a_second_run_knows_its_own(tmp_path):
    place = Place(folder=tmp_path, name="copy")
    first = write_new(place, "", b"text")

    assert write_new(place, "", b"text", again=True) == first
    with pytest.raises(ArgumentError):
        write_new(place, "", b"text")


@pytest.mark.usefixtures("way")
def test_a_link_is_not_taken_for_its_own(tmp_path):
    (tmp_path / "real").write_bytes(b"text")
    (tmp_path / "copy").symlink_to("real")

    with pytest.raises(ArgumentError, match="nothing is overwritten"):
        write_new(Place(folder=tmp_path, name="copy"), "", b"text", again=True)


@pytest.mark.usefixtures("way")
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor, _mode):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(ArgumentError, match="No space left"):
        write_new(Place(folder=tmp_path, name="copy"), "", b"text")

    assert _names(tmp_path) == []


@pytest.mark.real
@pytest.mark.parametrize("without", ["", "write._NAMELESS = write.os.O_DIRECTORY"])
def test_a_kill_in_the_middle_leaves_no_half_file_under_its_name(tmp_path, without):
    code = SLOW_WRITER.format(without=without, size=SIZE)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(tmp_path)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            while child.poll() is None and not _written(child.pid):
                pass
            child.kill()  # it may have ended by itself meanwhile
        named = tmp_path / "big"
        assert not named.exists() or named.stat().st_size in (0, SIZE)
        named.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _written(pid: int) -> bool:
    """It has begun to write the file, and not only its greeting."""
    with pathlib.Path(f"/proc/{pid}/io").open(encoding="ascii") as counts:
        return int(dict(line.split(": ") for line in counts)["wchar"]) > 1_000_000
