"""What of a directory is read: .gitignore is honoured, links are not followed, and there is an end."""

import os

import pytest
import trio

from exai_trio.workspace import directories
from exai_trio.workspace.read import FileReader


@pytest.fixture
def project(tmp_path):
    """An allowed root with a repository in it, beside a directory that is outside."""
    root = tmp_path.resolve() / "root"
    outside = tmp_path.resolve() / "outside"
    for folder in (root / "repo" / "src", root / "repo" / "build", root / "repo" / ".git", outside):
        folder.mkdir(parents=True)
    for name in ("repo/b.py", "repo/a.py", "repo/src/c.py", "repo/src/x.log", "repo/build/o.py"):
        (root / name).write_text(f"# {name}\n")
    (root / "repo" / ".git" / "HEAD").write_text("ref")
    (root / "repo" / ".gitignore").write_text("*.log\n/build/\n")
    (outside / "secret.py").write_text("SECRET")
    return root


async def names(root, *given):
    found = await FileReader().read([str(root / name) for name in given], (root,))
    return [reading.path.removeprefix(f"{root}/") for reading in found]


async def test_a_directory_gives_its_files_in_order(project):
    """Files before those of directories inside, each by name; what .gitignore or git's own directory holds is left out."""
    found = await names(project, "repo")

    assert ["repo/.gitignore", "repo/a.py", "repo/b.py", "repo/src/c.py"] == found


async def test_the_deepest_gitignore_decides(project):
    """A .gitignore below may take back what one above leaves out, and one above holds below."""
    (project / "repo" / "src" / ".gitignore").write_text("!x.log\nc.py\n")
    inside = await names(project, "repo/src")

    assert ["repo/src/.gitignore", "repo/src/x.log"] == inside


async def test_what_is_ignored_can_be_asked_for(project):
    """A directory that is itself left out is read when it is named."""
    assert ["repo/build/o.py"] == await names(project, "repo/build")


async def test_links_devices_and_fifos_inside_are_passed_over(project):
    """Nothing outside the root is reached through a directory, and nothing in it holds the reader."""
    (project / "repo" / "way_out").symlink_to(project.parent / "outside")
    (project / "repo" / "leak.py").symlink_to(project.parent / "outside" / "secret.py")
    (project / "repo" / "loop").symlink_to(project / "repo")
    os.mkfifo(project / "repo" / "fifo")
    (project / "repo" / ".gitignore").unlink()
    (project / "repo" / ".gitignore").symlink_to(project.parent / "outside" / "secret.py")
    with trio.fail_after(5):
        found = await FileReader().read([str(project / "repo")], (project,))

    assert not any("SECRET" in reading.text for reading in found)
    assert {"a.py", "b.py", "c.py", "o.py", "x.log"} == {r.path.rpartition("/")[2] for r in found}


async def test_binary_files_inside_are_named(project):
    """A file of a directory that cannot be shown is named with the reason, not refused."""
    (project / "repo" / "src" / "c.py").write_bytes(b"\0\1")
    found = await FileReader().read([str(project / "repo" / "src")], (project,))

    assert ["binary, 2 bytes"] == [reading.reason for reading in found]


async def test_a_directory_without_end_is_cut_and_says_so(project, monkeypatch):
    """Only so many files are taken; the directory itself is named for the rest, and again later in the same words."""
    monkeypatch.setattr(directories, "MOST_FILES", 2)
    reader, given = FileReader(), [str(project / "repo")]
    found = await reader.read(given, (project,))
    again = await reader.read_again([reading.path for reading in found], (project,))

    assert 3 == len(found)
    assert "directory" in found[-1].reason
    assert found == again


async def test_a_file_named_twice_is_read_once(project):
    """A file that is named and also lies in a named directory appears once, where it was first named."""
    assert ["repo/src/c.py", "repo/.gitignore", "repo/a.py", "repo/b.py"] == await names(
        project, "repo/src/c.py", "repo"
    )


async def test_many_files_do_not_hold_up_the_loop(project):
    """While 500 files (5 MB) are read, other tasks keep running."""
    for number in range(500):
        (project / "repo" / "src" / f"m{number:03}.py").write_text("x = 1  # a line\n" * 625)
    turns = 0

    async def tick():
        nonlocal turns
        while True:
            await trio.sleep(0.001)
            turns += 1

    async with trio.open_nursery() as running:
        running.start_soon(tick)
        found = await FileReader().read([str(project / "repo")], (project,))
        running.cancel_scope.cancel(reason="read")

    assert 504 == len(found)
    assert turns > 3
