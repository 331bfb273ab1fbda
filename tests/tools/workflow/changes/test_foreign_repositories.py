"""A repository made by hand, parts of which lead out of the allowed roots: refused with what leads where, or known as one's own."""

import os
import shutil

import pytest

from exai_trio.errors import ArgumentError, ToolFailedError
from exai_trio.workspace.git.command import TooSlowGit


@pytest.fixture
def arranged(git, top, other):
    """Arranges both repositories, and the settings of the own one; gives the git that is asked."""

    def arrange(make, own):
        for part in ("refs/heads", "objects/pack"):
            (other / part).mkdir()
        make(top, other)
        git.own = own
        return git

    return arrange


def replaced(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    return path


def leads_to(text):
    """Its `.git` is a file with that text."""

    def make(top, other):
        replaced(top / ".git").write_text(text.format(other=other))

    return make


def a_link(name):
    def make(top, other):
        replaced(top / ".git" / name).symlink_to(other / name)

    return make


def a_pipe(name):
    def make(top, other):
        del other
        os.mkfifo(replaced(top / ".git" / name))

    return make


def borrows(text):
    def make(top, other):
        (top / ".git/objects/info").mkdir()
        (top / ".git/objects/info/alternates").write_text(text.format(other=other))

    return make


def common_elsewhere(top, other):
    (top / ".git/commondir").write_text(f"{other}\n")


def nothing(top, other):
    del top, other


OUTSIDE = (
    "a repository outside the allowed roots. If it is yours, name it in EXAI_ALLOWED_ROOTS too"
)
REFUSED = {
    "its .git leads there": (leads_to("gitdir: {other}\n"), b"", OUTSIDE),
    "its .git is a link": (a_link(""), b"", OUTSIDE),
    "its .git names nothing": (leads_to("gitdir: \n"), b"", "its .git names no place"),
    "its .git is a text": (leads_to("hello\n"), b"", "its .git names no place"),
    "its .git has half a path": (leads_to("gitdir: /a\0b"), b"", "its .git names no place"),
    "its .git leads nowhere": (leads_to("gitdir: {other}/x"), b"", "which is no repository"),
    "its commondir": (common_elsewhere, b"", "its commondir leads to"),
    "its index": (a_link("index"), b"", "its index leads to"),
    "its refs": (a_link("refs"), b"", "its refs leads to"),
    "one of its refs": (a_link("refs/heads"), b"", "its heads leads to"),
    "its objects": (a_link("objects"), b"", "its objects are borrowed from"),
    "its packs": (a_link("objects/pack"), b"", "its pack leads to"),
    "borrowed objects": (borrows("{other}/objects\n"), b"", "its objects are borrowed from"),
    "alternates that are quoted": (borrows('"{other}"\n'), b"", "alternates cannot be read"),
    "alternates without end": (borrows("x" * 1_100_000), b"", "alternates cannot be read"),
    "a pipe as index": (a_pipe("index"), b"", "its index is no regular file"),
    "a pipe as configuration": (a_pipe("config"), b"", "its config is no regular file"),
    "its core.worktree": (nothing, b"core.worktree\n/etc\0", "its core.worktree is '/etc'"),
    "a setting without end": (
        nothing,
        b"core.eol\n" + b"x" * 10_001 + b"\0",
        "its setting core.eol is longer than 10,000 characters",
    ),
}


@pytest.mark.parametrize(("make", "own", "why"), REFUSED.values(), ids=REFUSED)
async def test_what_leads_out_is_refused(bench, arranged, make, own, why):
    """The argument path is named, and what leads where; git is asked for no change, and no model sees any."""
    git = arranged(make, own)
    with pytest.raises(ArgumentError) as fault:
        await bench.step("precommit", 1, 1)

    assert why in fault.value.message
    assert fault.value.details["field"] == "path"
    assert not git.asked
    assert not bench.gateway.requests


def a_further_tree(top, other):
    """As `git worktree add` makes one: a part of its own in the other's repository, which names it in turn."""
    part = other / "worktrees/top"
    part.mkdir(parents=True)
    shutil.copy(other / "HEAD", part)
    (part / "commondir").write_text("../..\n")
    (part / "gitdir").write_text(f"{top}/.git\n")
    replaced(top / ".git").write_text(f"gitdir: {part}\n")


def borrows_in_a_circle(top, other):
    borrows("# from itself\n../objects\n")(top, other)


def an_old_link_as_head(top, other):
    """As git once made it."""
    del other
    replaced(top / ".git/HEAD").symlink_to("refs/heads/old")


def a_shared_index(top, other):
    del other
    (top / ".git/sharedindex.12").write_text("")


OWN = {
    "a further work tree": (a_further_tree, b""),
    "a submodule": (leads_to("gitdir: {other}\n"), b"core.worktree\n../../top\0"),
    "borrowed in a circle": (borrows_in_a_circle, b""),
    "a link as HEAD": (an_old_link_as_head, b""),
    "a shared index": (a_shared_index, b""),
    "settings of the tree": (nothing, b"extensions.worktreeconfig\ntrue\0"),
}


@pytest.mark.parametrize(("make", "own"), OWN.values(), ids=OWN)
async def test_what_is_its_own_is_looked_at(bench, arranged, make, own):
    """The repository lies elsewhere, but says that the tree is its own; or nothing leads out at all."""
    git = arranged(make, own)
    told = await bench.step("precommit", 1, 1)

    assert told["precommit_status"]["git"]["branch"] == "main"
    assert len(git.was_asked("diff")) == 2


def entry(name, inode, seconds=0, part=0, device=0):
    """As `git ls-files --debug -z` prints what the index has noted of a file."""
    return (
        f"{name}\0  ctime: 1:2\n  mtime: {seconds}:{part}\n  dev: {device}\tino: {inode}\n"
        "  uid: 0\tgid: 0\n  size: 5\tflags: 0\n"
    ).encode()


@pytest.fixture
def moved(top, other):
    """Its `.git` leads to a repository that does not name it; the file a.txt is there."""
    leads_to("gitdir: {other}\n")(top, other)
    (top / "a.txt").write_text("alpha")
    return (top / "a.txt").stat()


async def test_a_repository_is_known_by_the_files_that_its_index_has_seen(bench, git, top, moved):
    """The same inode on the same device, or not written since: nobody can make another's index say that."""
    seen = [
        entry("a.txt", moved.st_ino, device=moved.st_dev & 0xFFFFFFFF),
        entry("a.txt", moved.st_ino, *divmod(moved.st_mtime_ns, 10**9), device=1),
    ]
    for git.index in seen:
        await bench.step("precommit", 1, 1, path=str(top))

    assert len(bench.gateway.requests) == 2


async def test_a_repository_that_has_not_seen_the_files_is_another(bench, git, moved, top):
    """Another inode, another time, a file that is gone, one behind a link, or a git that cannot list them."""
    (top / "link.txt").symlink_to("a.txt")
    link = (top / "link.txt").lstat()
    (top / "by").symlink_to(".")
    strangers = [
        entry("a.txt", moved.st_ino + 1, device=moved.st_dev & 0xFFFFFFFF),
        entry("a.txt", moved.st_ino, device=1),
        entry("gone.txt", moved.st_ino, device=moved.st_dev & 0xFFFFFFFF),
        entry("link.txt", link.st_ino, device=moved.st_dev & 0xFFFFFFFF),
        entry("by/a.txt", moved.st_ino, device=moved.st_dev & 0xFFFFFFFF),
        TooSlowGit("git ls-files did not end within 20 s."),
    ]
    for git.index in strangers:
        with pytest.raises(ArgumentError, match=r"its \.git leads to .* outside"):
            await bench.step("precommit", 1, 1, path=str(top))


async def test_a_disk_that_refuses_is_told_as_that(bench, git, top, monkeypatch):
    """And not as a repository that is none."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(
        ToolFailedError, match=r"the repository cannot be read: .*Permission denied"
    ):
        await bench.step("precommit", 1, 1)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(ToolFailedError, match="no temporary directory"):
        await bench.step("precommit", 1, 1)

    assert not git.asked
