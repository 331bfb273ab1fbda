"""Which settings of the user's and of the repository's configuration count: those of a list, none of which runs a program.

Whatever is not on the list, git is not told. The repository's own includes are not followed. Blocking: for threads only.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.workspace.git import command
from exai_trio.workspace.git.command import Setting
from exai_trio.workspace.git.discovery import Found

MOST_BYTES = 4 * 1024 * 1024  # of a configuration, and of what git lists of it
_LONGEST = 10_000  # characters of one value
_MOST_FETCHES = 100

# How the work tree is read, and how changes are shown.
_COUNTING = frozenset(
    {"core.autocrlf", "core.eol", "core.filemode", "core.symlinks", "core.ignorecase"}
    | {"core.precomposeunicode", "core.trustctime", "core.checkstat", "core.bigfilethreshold"}
    | {"core.sparsecheckout", "core.sparsecheckoutcone", "index.sparse", "core.abbrev"}
    | {"diff.algorithm", "diff.renames", "diff.renamelimit", "diff.indentheuristic"}
    | {"diff.context", "diff.interhunkcontext", "status.renames", "status.renamelimit"}
)
# The format of the repository is git's to judge, but for what we do ourselves.
_OWN_EXTENSIONS = frozenset({"partialclone", "worktreeconfig", "preciousobjects", "noop"}) | {
    "relativeworktrees"
}


@structs.frozen(kw_only=True)
class Settings:
    """`handed_in` is what git is told; `extensions` is the repository's format.

    `filters` are the names of all that are configured to run a program over files. `includes`: the repository names further files.
    """

    handed_in: tuple[Setting, ...] = ()
    version: str = "0"
    extensions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    filters: frozenset[str] = frozenset()
    includes: bool = False


def of_repository(found: Found) -> list[Setting]:
    """All that its configuration says. Raises: ArgumentError, ToolFailedError, also if that is too long to be known whole."""
    own = _listed(found.common_dir / "config")
    if any(name == "extensions.worktreeconfig" and value != "false" for name, value in own):
        own += _listed(found.git_dir / "config.worktree")
    return own


def _listed(file: Path) -> list[Setting]:
    try:
        looked = file.stat()
    except OSError:  # audit: empty-handler, because a file that is not there has no settings
        return []
    if not stat.S_ISREG(looked.st_mode):
        raise ArgumentError(f"its {file.name} is no regular file")
    words = ("config", "--file", str(file), "--no-includes", "--list", "-z")
    environ = command.environment((), {"GIT_DIR": os.devnull})  # or git would look for a repository
    return _parsed(command.said(Path("/"), words, environ, MOST_BYTES))


def of_user(git_dir: Path, common_dir: Path) -> list[Setting]:
    """What the configuration of machine and user says of a repository there; `common_dir` is one of ours, without any.

    Raises: ToolFailedError.
    """
    places = {"GIT_DIR": str(git_dir), "GIT_COMMON_DIR": str(common_dir)}
    words = ("config", "--includes", "--list", "-z")
    environ = command.environment_of_user(places)
    return _parsed(command.said(common_dir, words, environ, MOST_BYTES))


def _parsed(listed: bytes) -> list[Setting]:
    found: list[Setting] = []
    for entry in listed.split(b"\0")[:-1]:
        name, equals, value = entry.partition(b"\n")
        found.append((os.fsdecode(name), os.fsdecode(value) if equals else "true"))
    return found


def chosen(users: Sequence[Setting], own: Sequence[Setting], top: Path, branch: str) -> Settings:
    """What of these counts in the work tree `top`, on that branch. Raises: ArgumentError."""
    everything = [*users, *own]
    newest = dict(everything)
    counting = [(name, newest[name]) for name in sorted(_COUNTING & newest.keys())]
    handed_in = [*counting, *_files(newest, dict(users), top), *_upstream(newest, own, branch)]
    for name, value in handed_in:
        if len(value) > _LONGEST:
            raise ArgumentError(f"its setting {name[:80]} is longer than {_LONGEST:,} characters")
    extensions = _extensions(own)
    return Settings(
        handed_in=tuple(handed_in),
        version=dict(own).get("core.repositoryformatversion", "0"),
        extensions=extensions,
        filters=_filters(newest.items()),
        includes=any(name.startswith(("include.", "includeif.")) for name, _ in own),
    )


def _extensions(own: Sequence[Setting]) -> dict[str, str]:
    said = {n.partition(".")[2]: value for n, value in own if n.startswith("extensions.")}
    return {name: value for name, value in said.items() if name not in _OWN_EXTENSIONS}


def _files(newest: Mapping[str, str], users: Mapping[str, str], top: Path) -> list[Setting]:
    """Which files may be ignored, whoever says so: that only hides them. What else files are, the user and the repository's own files say."""
    excludes = newest.get("core.excludesfile", _usual("ignore"))
    attributes = users.get("core.attributesfile", _usual("attributes"))
    named = (("core.excludesFile", excludes), ("core.attributesFile", attributes))
    return [(name, str(file)) for name, path in named if (file := _regular(path, top))]


def _usual(name: str) -> str:
    # audit: path, because git itself looks there
    directory = command.users_environment("XDG_CONFIG_HOME").get("XDG_CONFIG_HOME") or "~/.config"
    return f"{directory}/git/{name}"


def _regular(path: str, top: Path) -> Path | None:
    """The file itself, if there is one that reading cannot hang on."""
    try:
        file = top / os.path.expanduser(path)  # noqa: PTH111  # keeps a "~" that leads nowhere
        return file if path and stat.S_ISREG(file.stat().st_mode) else None
    except (OSError, ValueError):
        # audit: empty-handler, because None is the answer: no regular file
        return None


def _upstream(newest: Mapping[str, str], own: Sequence[Setting], branch: str) -> list[Setting]:
    """What the branch follows: for the first line of a status, and for @{upstream}."""
    names = (f"branch.{branch}.remote", f"branch.{branch}.merge")
    if not branch or not all(name in newest for name in names):
        return []
    fetch = f"remote.{newest[names[0]]}.fetch"
    fetched = [setting for setting in own if setting[0] == fetch][:_MOST_FETCHES]
    return [*((name, newest[name]) for name in names), *fetched]


def _filters(settings: Iterable[Setting]) -> frozenset[str]:
    found: set[str] = set()
    for name, value in settings:
        section, _, key = name.rpartition(".")
        if section.startswith("filter.") and key in {"clean", "process"} and value:
            found.add(section.removeprefix("filter."))
    return frozenset(found)


def worktree_named(own: Sequence[Setting], found: Found) -> Path | None:
    """The work tree that the repository itself names, without links."""
    named = dict(own).get("core.worktree")
    if named is None or found.is_further_tree:
        return None
    return Path(os.path.realpath(found.git_dir / named))
