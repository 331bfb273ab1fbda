"""A git directory of ours that shows a repository's HEAD, index, refs and objects, and none of its configuration and hooks.

Git is asked about the repository through it. It is a temporary directory: nothing is ever written into the repository.
Blocking: for threads only, but for `place`.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError, ToolFailedError
from exai_trio.workspace.git import allowed_settings, command, discovery, ownership
from exai_trio.workspace.git.allowed_settings import Settings
from exai_trio.workspace.git.command import Setting
from exai_trio.workspace.git.discovery import Found

_MOST_HEAD_BYTES = 4 * 1024
_MOST_ENTRIES_BYTES = 256 * 1024
_HEAD = re.compile(rb"(?:ref:\s*refs/(?P<branch>[^\0\r\n]+)|[0-9a-f]{40,64})\s*")
_FORMAT = re.compile(r"[\w.-]{1,80}")
_INDEX_BITS = 0xFFFF_FFFF  # of numbers in an index
# Commits that git notes by the way; they can be compared with.
_NOTED = ("ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")
_ENTRY = re.compile(
    rb"([^\0]+)\0\s+ctime: \S+\s+mtime: (\d+):(\d+)\s+dev: (\d+)\s+ino: (\d+)\s+uid: .*\n\s+size: .*\n"
)


@structs.frozen(kw_only=True)
class View:
    """How git is started to look at the work tree `top`. `filters` are the programs that it does not run over files.

    `remarks` say what of the repository's configuration is not taken into account.
    """

    top: Path
    environ: Mapping[str, str] = attrs.field(repr=False)
    filters: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()
    has_index: bool = False
    places: tuple[Path, ...] = ()

    def leads_out(self, directory: Path) -> bool:
        """Whether the repository of this directory, a submodule, has parts elsewhere than in the `places` that may be read."""
        try:
            found = discovery.at(directory)
            if found is not None:
                ownership.allowed_places(found, self.places, owned=False)
                ownership.check_parts(found, self.places, objects=False)
        except (ArgumentError, OSError, ValueError):
            # audit: fault-as-success, because what cannot be checked counts as outside
            return True
        return False


@contextmanager
def place() -> Generator[Path]:
    """A new directory for one view. Leaving removes it. Raises: ToolFailedError."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="exai-git-"))
    except OSError as fault:
        raise ToolFailedError(f"git cannot be asked: no temporary directory ({fault}).") from fault
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def of_repository(
    directory: Path, roots: tuple[Path, ...], at: Path, *, objects: bool = True
) -> View | None:
    """The view of the repository that the directory lies in, made below `at`; None if it lies in none.

    Without `objects` it only tells what is tracked and what is ignored.
    Raises: ArgumentError if anything of it leads out of the roots; ToolFailedError.
    """
    found = discovery.find(directory)
    if found is None:
        return None
    try:
        return _checked(found, roots, at, objects=objects)
    except OSError as fault:
        raise ToolFailedError(f"the repository cannot be read: {fault}") from fault


def _checked(found: Found, roots: tuple[Path, ...], at: Path, *, objects: bool) -> View:
    own = allowed_settings.of_repository(found)
    owned = ownership.names_tree(found, own) or _knows_tree(found, own, roots, at / "index")
    places = ownership.allowed_places(found, roots, owned=owned)
    ownership.check_tree(found, own)
    ownership.check_parts(found, places, objects=objects)
    git_dir = _empty(at / "view")
    users = allowed_settings.of_user(found.git_dir, git_dir)
    branch = _copy_head(found, git_dir)
    counting = allowed_settings.chosen(users, own, found.top, branch)
    _show(found, git_dir, counting)
    if objects:
        _show_history(found, git_dir)
    remarks = ("include of the repository's own configuration is not followed",)
    return View(
        top=found.top,
        environ=_environ(git_dir, found, counting.handed_in, objects=objects),
        filters=counting.filters,
        remarks=remarks if counting.includes else (),
        has_index=(git_dir / "index").exists(),
        places=places,
    )


def of_folder(top: Path, at: Path) -> View:
    """The view of a directory in no repository: only what it ignores. Raises: ToolFailedError."""
    git_dir = _empty(at / "none")
    users = allowed_settings.of_user(git_dir, git_dir)
    counting = allowed_settings.chosen(users, (), top, "")
    places = {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(top)}
    return View(top=top, environ=command.environment(counting.handed_in, places))


def _empty(holder: Path) -> Path:
    """A repository with nothing in it; named so that it is never itself looked into."""
    git_dir = holder / ".git"
    for name in ("objects", "refs", "info", "logs"):
        (git_dir / name).mkdir(parents=True, exist_ok=True)
    (git_dir / "HEAD").write_bytes(b"ref: refs/heads/none\n")
    (git_dir / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    return git_dir


def _environ(
    git_dir: Path, found: Found, handed_in: tuple[Setting, ...], *, objects: bool
) -> dict[str, str]:
    places = {
        "GIT_DIR": str(git_dir),
        "GIT_COMMON_DIR": str(git_dir),
        "GIT_WORK_TREE": str(found.top),
    }
    if objects:
        places["GIT_OBJECT_DIRECTORY"] = str(found.objects)
    return command.environment(handed_in, places)


def _copy_head(found: Found, git_dir: Path) -> str:
    """Gives the branch, or "". Raises: ArgumentError if the HEAD is none."""
    head = found.git_dir / "HEAD"
    content = (  # git made it a link once
        b"ref: " + os.fsencode(head.readlink()) if head.is_symlink() else _beginning(head)
    )
    said = _HEAD.fullmatch(content)
    if said is None or b".." in content:
        raise ArgumentError("its HEAD names no branch and no commit")
    (git_dir / "HEAD").write_bytes(content.strip() + b"\n")
    return os.fsdecode(said["branch"] or b"").strip().removeprefix("heads/")


def _beginning(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_MOST_HEAD_BYTES)


def _show(found: Found, git_dir: Path, counting: Settings) -> None:
    """What is tracked and ignored, in the repository's own format. The index is a copy: git may write into it."""
    (git_dir / "config").write_text(_format(counting))
    link = partial(_link, git_dir)
    for name in ("exclude", "attributes"):
        link(f"info/{name}", found.common_dir / "info" / name)
    link("info/sparse-checkout", found.git_dir / "info" / "sparse-checkout")
    _copy_index(found, git_dir / "index")


def _copy_index(found: Found, to: Path) -> None:
    index = found.git_dir / "index"
    if not index.is_file():
        return
    shutil.copyfile(index, to)
    shutil.copystat(index, to)  # what has changed since it was written, git tells by its time
    for shared in found.git_dir.glob("sharedindex.*"):
        _link(to.parent, shared.name, shared)


def _show_history(found: Found, git_dir: Path) -> None:
    (git_dir / "refs").rmdir()
    for name in ("refs", "packed-refs", "reftable", "shallow", "logs/refs"):
        _link(git_dir, name, found.common_dir / name)
    _link(git_dir, "logs/HEAD", found.git_dir / "logs/HEAD")
    for name in _NOTED:
        noted = found.git_dir / name
        if noted.is_file() and not noted.is_symlink():
            (git_dir / name).write_bytes(_beginning(noted))


def _link(git_dir: Path, name: str, target: Path) -> None:
    if target.exists():
        (git_dir / name).symlink_to(os.path.realpath(target))


def _format(counting: Settings) -> str:
    lines = [
        "[core]",
        f"repositoryformatversion = {counting.version}",
        "bare = false",
        "[extensions]",
    ]
    lines += [f"{name} = {value}" for name, value in counting.extensions.items()]
    said = [counting.version, *counting.extensions, *counting.extensions.values()]
    if not all(map(_FORMAT.fullmatch, said)):
        raise ArgumentError("its format is not one that git knows")
    return "\n\t".join(lines) + "\n"


def _knows_tree(found: Found, own: list[Setting], roots: tuple[Path, ...], at: Path) -> bool:
    """Whether its index knows the files of this work tree by their inodes: so a repository that was put elsewhere is known.

    Nobody can make another's index do that; links in the way of the files do not count.
    """
    if any(found.git_dir.is_relative_to(root) for root in roots):
        return False  # need not be known
    git_dir = _empty(at)
    (git_dir / "config").write_text(_format(allowed_settings.chosen((), own, found.top, "")))
    _copy_index(found, git_dir / "index")
    environ = command.environment((), {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(found.top)})
    words = ("ls-files", "--cached", "--debug", "-z")
    try:
        listed = command.said(found.top, words, environ, _MOST_ENTRIES_BYTES, beginning=True)
    except ToolFailedError:
        # audit: empty-handler, because what git cannot list is not known to be its own
        return False
    return any(_is_file_of(found.top, *entry.groups()) for entry in _ENTRY.finditer(listed))


def _is_file_of(top: Path, name: bytes, *facts: bytes) -> bool:
    """Whether it is the file that the index has seen: the same inode, on the same device or not written since (devices are counted anew)."""
    seconds, part, device, inode = map(int, facts)
    path = os.path.join(os.fsencode(top), name)  # noqa: PTH118  # bytes
    try:
        looked = os.lstat(path)
    except OSError:
        # audit: empty-handler, because a file that is gone is not the one that was seen
        return False
    same = device == looked.st_dev & _INDEX_BITS or (
        seconds * 1_000_000_000 + part == looked.st_mtime_ns
    )
    return same and inode == looked.st_ino & _INDEX_BITS and os.path.realpath(path) == path
