"""What `git status --porcelain=v2 -z` says, as values. Pure."""

from collections.abc import Iterator

from exai_trio import structs
from exai_trio.workspace import path_policy

_SUBMODULE = "160000"


@structs.frozen(kw_only=True)
class Change:
    """`code` is what git status shows in its first two columns; `path` is relative to the work tree, and where it was before in `origin`."""

    code: str
    path: str
    origin: str = ""
    is_submodule: bool = False

    @property
    def is_untracked(self) -> bool:
        return self.code == "??"

    @property
    def is_in_work_tree(self) -> bool:
        """Whether the file differs from what is staged of it."""
        return self.code[1] not in " ?D"

    def seen_from(self, prefix: str) -> str:
        """As a line of a status, for a reader in that directory."""
        names = [self.path.removeprefix(prefix)]
        if self.origin:
            names.insert(0, self.origin.removeprefix(prefix))
        return f"{self.code} {' -> '.join(map(path_policy.shown, names))}"


@structs.frozen(kw_only=True)
class Status:
    """`branch` as in the first line of a status. `cut`: there are more changes than these."""

    branch: str
    changes: tuple[Change, ...]
    cut: bool = False


def parsed(printed: str, *, cut: bool) -> Status:
    """The last entry of a text that was cut is dropped."""
    entries = iter(printed.split("\0")[:-1])
    head: dict[str, str] = {}
    changes: list[Change] = []
    for entry in entries:
        if entry.startswith("# "):
            name, _, value = entry[2:].partition(" ")
            head[name] = value
        else:
            changes.append(_change(entry, entries))
    return Status(branch=_branch(head), changes=tuple(changes), cut=cut)


def _change(entry: str, further: Iterator[str]) -> Change:
    kind = entry[0]
    if kind in "?!":
        return Change(code=kind * 2, path=entry[2:])
    fields = entry.split(" ", _FIELDS_BEFORE_PATH[kind])
    return Change(
        code=fields[1].replace(".", " "),
        path=fields[-1],
        origin=next(further, "") if kind == "2" else "",
        is_submodule=_SUBMODULE in fields[3:7],
    )


_FIELDS_BEFORE_PATH = {"1": 8, "2": 9, "u": 10}


def _branch(head: dict[str, str]) -> str:
    name = head.get("branch.head", "")
    if name == "(detached)":
        return "HEAD (no branch)"
    if head.get("branch.oid") == "(initial)":
        return f"No commits yet on {name}"
    if "branch.upstream" not in head:
        return name
    ahead, _, behind = head.get("branch.ab", "+0 -0").partition(" ")
    apart = [
        f"{word} {n[1:]}" for word, n in (("ahead", ahead), ("behind", behind)) if n[1:] != "0"
    ]
    return f"{name}...{head['branch.upstream']}" + (f" [{', '.join(apart)}]" if apart else "")
