"""Links that take a file's or a directory's place while it is looked for: nothing outside the roots is read, listed or written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import directories, safe_open, write
from exai_trio.workspace.read import FileReader
from exai_trio.workspace.write import Place

pytestmark = pytest.mark.real

READS = 2_000


@pytest.fixture
def root(tmp_path):
    """A root with two directories in a row, beside a place outside that is laid out alike."""
    base = tmp_path.resolve()
    for folder in (base / "root" / "sub" / "deep", base / "outside" / "deep"):
        folder.mkdir(parents=True)
    (base / "root" / "sub" / "deep" / "a.txt").write_text("inside")
    (base / "outside" / "deep" / "a.txt").write_text("OUTSIDE")
    (base / "outside" / "deep" / "canary").write_text("OUTSIDE")
    return base / "root"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def swapping(monkeypatch, part, swap):
    """`swap` happens right before that part of a path is opened, once."""
    real_open, done = os.open, []

    def swap_then_open(path, flags, *more, **where):
        if os.fspath(path).rpartition("/")[2] == part and not done:
            done.append(part)
            swap()
        return real_open(path, flags, *more, **where)

    monkeypatch.setattr(safe_open.os, "open", swap_then_open)
    return done


def put_link(at, to):
    """Move away what is there, and lead elsewhere from its place."""
    at.rename(at.with_name(f"{at.name}-away"))
    at.symlink_to(to)


def put_back(at):
    at.unlink()
    at.with_name(f"{at.name}-away").rename(at)


PARTS = ["root", "sub", "deep", "a.txt"]


def place_of(root, part):
    """A part of the path to a.txt, and what lies in its stead outside."""
    inside = {
        "root": (root, root.parent / "outside"),
        "sub": (root / "sub", root.parent / "outside"),
        "deep": (root / "sub" / "deep", root.parent / "outside" / "deep"),
        "a.txt": (root / "sub" / "deep" / "a.txt", root.parent / "outside" / "deep" / "a.txt"),
    }
    return inside[part]


@pytest.mark.parametrize("before", PARTS)
@pytest.mark.parametrize("part", PARTS)
async def test_a_link_put_in_place_while_it_is_opened_is_not_followed(
    root, monkeypatch, part, before
):
    """Whichever part becomes a link, before whichever is opened: the file inside or a refusal, and no descriptor is left."""
    at, outside = place_of(root, part)
    given = str(root / "sub" / "deep" / "a.txt")
    await FileReader().read([given], (root,))
    held = descriptors()
    done = swapping(monkeypatch, before, lambda: put_link(at, outside))
    try:
        said = [reading.text for reading in await FileReader().read([given], (root,))]
    except (ArgumentError, NotFoundError) as refused:
        said = [refused.message]

    assert done
    assert "OUTSIDE" not in said[0]
    assert held == descriptors()


@pytest.mark.parametrize("part", ["sub", "deep", "a.txt"])
async def test_a_link_that_is_there_for_a_moment_is_not_followed(root, monkeypatch, part):
    """A link that is gone again when one looks leads nowhere either: the refusal says that trying again may help."""
    at, outside = place_of(root, part)
    real_open = os.open

    def swapped(path, flags, *more, **where):
        if path != part:
            return real_open(path, flags, *more, **where)
        put_link(at, outside)
        try:
            return real_open(path, flags, *more, **where)
        finally:
            put_back(at)

    monkeypatch.setattr(safe_open.os, "open", swapped)
    with pytest.raises((ArgumentError, NotFoundError)) as refused:
        await FileReader().read([str(root / "sub" / "deep" / "a.txt")], (root,))

    assert "OUTSIDE" not in refused.value.message


async def test_a_link_is_there_whenever_something_is_opened_or_looked_at(root, monkeypatch):
    """Asking again where the path leads proves nothing: a link may be away at that moment, and back at the next."""
    at, outside = place_of(root, "sub")
    real, asked_where = {name: getattr(os, name) for name in ("open", "lstat", "stat")}, []

    def swapped(name):
        def look(path, *more, **where):
            if asked_where or "a.txt" not in str(path):
                return real[name](path, *more, **where)
            put_link(at, outside)
            try:
                return real[name](path, *more, **where)
            finally:
                at.unlink()
                real_rename(at.with_name("sub-away"), at)

        return look

    def asking(path):
        asked_where.append(path)
        try:
            return real_realpath(path)
        finally:
            asked_where.pop()

    real_rename, real_realpath = os.rename, os.path.realpath
    for name in real:
        monkeypatch.setattr(safe_open.os, name, swapped(name))
    monkeypatch.setattr(safe_open.os.path, "realpath", asking)
    try:
        (found,) = await FileReader().read([str(root / "sub" / "deep" / "a.txt")], (root,))
    except (ArgumentError, NotFoundError):
        return
    assert "inside" == found.text


@pytest.mark.parametrize("part", ["root", "sub", "deep"])
def test_a_directory_is_listed_where_it_was_found(root, monkeypatch, part):
    """A link put in place of a directory that is being listed shows no name from outside."""
    at, outside = place_of(root, part)
    swapping(monkeypatch, part, lambda: put_link(at, outside))
    monkeypatch.setattr(directories.trio.from_thread, "check_cancelled", lambda: None)
    found = directories.expand(root / "sub", (root,))

    assert not any("canary" in path for path in found.files)


@pytest.mark.parametrize("part", ["root", "sub", "deep"])
def test_nothing_is_written_through_a_link(root, monkeypatch, part):
    """A download is written where its place was found, or refused; never outside."""
    at, outside = place_of(root, part)
    place = write.find_place(str(root / "sub" / "deep"), (root,))
    swapping(monkeypatch, part, lambda: put_link(at, outside))
    with pytest.raises(ArgumentError):
        write.write_new(place, "new.txt", b"mine")

    assert not list((root.parent / "outside").rglob("new.txt"))


def test_a_place_that_became_a_link_before_writing_is_refused(root):
    """Between the check and the writing, while the provider is asked, a link may come too."""
    put_link(root / "sub", root.parent / "outside")
    with pytest.raises(ArgumentError, match="cannot be written"):
        write.write_new(Place(folder=root / "sub" / "deep"), "new.txt", b"mine")

    assert not (root.parent / "outside" / "deep" / "new.txt").exists()


SWAPPER = """
import os, sys
at, outside = sys.argv[1:]
while True:
    os.rename(at, at + "-away")
    os.symlink(outside, at)
    os.unlink(at)
    os.rename(at + "-away", at)
"""


@pytest.fixture
def swapper(root):
    """A process that puts a link out of the root in a directory's place and back, as fast as it can."""
    at, outside = place_of(root, "sub")
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", SWAPPER, str(at), str(outside)])
    yield process
    process.kill()
    process.wait()


def test_thousands_of_reads_while_links_change(root, swapper):
    """While another process swaps a directory and a link out of the root, no read gives anything from outside."""
    got = {"inside": 0, "outside": 0, "refused": 0}
    for _ in range(READS):
        try:
            resolved = safe_open.resolve(str(root / "sub" / "deep" / "a.txt"), (root,))
            text = safe_open.content(resolved, 100)
        except (ArgumentError, NotFoundError):
            got["refused"] += 1
        else:
            got["inside" if text == b"inside" else "outside"] += 1

    assert swapper.poll() is None
    assert 0 == got["outside"], got
    assert got["refused"]


def roots_by_link(root):
    (root.parent / "link").symlink_to(root)
    (root.parent / "above").symlink_to(root.parent)
    return [root.parent / "link", root.parent / "above" / "root", root / "sub" / ".."]


@pytest.mark.parametrize("number", range(3))
async def test_a_root_that_is_a_link_is_the_directory_it_leads_to(root, number):
    """A root may be written through a link or `..` (as /tmp on macOS): its files are read under both names."""
    roots = (roots_by_link(root)[number],)
    for given in (roots[0] / "sub" / "deep" / "a.txt", root / "sub" / "deep" / "a.txt"):
        (found,) = await FileReader().read([str(given)], roots)
        assert ("inside", str(root / "sub" / "deep" / "a.txt")) == (found.text, found.path)
    listed = await FileReader().read([str(roots[0])], roots)
    place = await FileReader().find_place(str(roots[0] / "new"), roots)

    assert [str(root / "sub" / "deep" / "a.txt")] == [reading.path for reading in listed]
    assert root == place.folder
    with pytest.raises(ArgumentError, match="outside"):
        await FileReader().read([str(root.parent / "outside" / "deep" / "a.txt")], roots)


async def test_links_inside_the_roots_still_work(root):
    """A link to a file or a directory inside any root is followed as ever."""
    (root / "file").symlink_to(root / "sub" / "deep" / "a.txt")
    (root / "way").symlink_to("sub")
    for given in ("file", "way/deep/a.txt"):
        (found,) = await FileReader().read([str(root / given)], (root,))
        assert "inside" == found.text


async def test_roots_that_are_no_paths_hold_nothing(root):
    """A client may name roots that can be none."""
    with pytest.raises(ArgumentError, match="outside"):
        await FileReader().read(
            [str(root / "sub" / "deep" / "a.txt")], (Path("/a\0b"), Path("/none"))
        )
