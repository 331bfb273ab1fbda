"""What precommit has found in a repository, and how the agent and the expert are told of it: what is left out is always said. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exai_trio import structs
from exai_trio.tools.workflow.changes.diffs import Diff
from exai_trio.tools.workflow.changes.git_status import Status
from exai_trio.workspace.path_policy import shown
from exai_trio.workspace.sendable import left_out

_MOST_NAMED = 200  # files in one list
_MOST_IN_A_SENTENCE = 20
UNTRACKED = "Untracked files"

Section = tuple[str, str]


@structs.frozen(kw_only=True)
class Changes:
    """`diffs` by their titles. `untracked` are whole files; `unread` those that cannot be shown, with the reasons.

    `filtered`: by the filters that are not run, files whose difference may be the filter's alone. `remarks`: what else is not as in the user's git.
    """

    directory: str
    prefix: str
    status: Status
    diffs: Sequence[tuple[str, Diff]] = ()
    untracked: Diff = Diff()
    unread: Mapping[str, str]
    filtered: Mapping[str, Sequence[str]]
    remarks: Sequence[str] = ()

    @property
    def texts(self) -> list[tuple[str, Diff]]:
        return [*self.diffs, (UNTRACKED, self.untracked)]


def sections(found: Changes) -> tuple[Section, ...]:
    """For the expert."""
    lines = [f"## {found.status.branch}", *_lines(found)]
    more = "\n[cut: there are more changes than these]" if found.status.cut else ""
    told = [("git status", _fenced("\n".join(lines), "") + more + _listed(_remarks(found)))]
    told += [(title, _diff(diff)) for title, diff in found.diffs]
    told.append((UNTRACKED, _untracked(found)))
    return tuple(section for section in told if section[1])


def in_short(found: Changes) -> dict[str, Any]:
    """For the agent: names and numbers."""
    lines = _lines(found)
    facts: dict[str, Any] = {
        "directory": found.directory,
        "branch": found.status.branch,
        "changed": lines[:_MOST_NAMED],
        "lines_of_diff": {title: diff.lines for title, diff in found.diffs},
    }
    if len(lines) > _MOST_NAMED:
        facts["changed_left_out"] = len(lines) - _MOST_NAMED
    if found.status.cut:
        facts["more_changed"] = True
    cut = {title: _cut(diff) for title, diff in found.texts if diff.cut}
    optional = {
        "shown_to_the_expert_in_part": cut,
        "untracked_not_shown": dict(list(found.unread.items())[:_MOST_NAMED]),
        "not_utf8": [path for _, diff in found.texts for path in diff.not_utf8][:_MOST_NAMED],
        "left_out_as_secrets": {
            path: looks for _, diff in found.texts for path, looks in diff.secrets.items()
        },
        "filters_not_run": {
            name: list(paths)[:_MOST_NAMED] for name, paths in found.filtered.items()
        },
        "remarks": list(found.remarks),
    }
    return facts | {name: value for name, value in optional.items() if value}


def _lines(found: Changes) -> list[str]:
    return [change.seen_from(found.prefix) for change in found.status.changes]


def _cut(diff: Diff) -> dict[str, Any]:
    cut = diff.cut
    told: dict[str, Any] = {
        "lines": diff.lines,
        "lines_shown": diff.shown,
        "files": {
            shown(part.path): f"{part.shown:,} of {part.lines:,} lines"
            for part in cut[:_MOST_NAMED]
        },
    }
    if len(cut) > _MOST_NAMED:
        told["files_left_out"] = len(cut) - _MOST_NAMED
    return told


def _remarks(found: Changes) -> list[str]:
    filters = [
        f"the filter {shown(name)} is not run: what differs in {_names(paths)} may be its doing alone"
        for name, paths in found.filtered.items()
    ]
    return [*filters, *found.remarks]


def _diff(diff: Diff) -> str:
    return _fenced(diff.text, "diff") + _notices(diff) if diff.parts else ""


def _untracked(found: Changes) -> str:
    parts = [
        f"### {shown(part.path)}\n\n{_fenced(part.text, '')}"
        for part in found.untracked.parts
        if part.text
    ]
    unread = [f"{shown(path)}: {reason}" for path, reason in found.unread.items()]
    if unread:
        parts.append(f"Not shown: {_names(unread)}")
    return "\n\n".join(parts) + _notices(found.untracked)


def _notices(diff: Diff) -> str:
    said: list[str] = []
    if diff.cut:
        each = [f"{shown(p.path)} ({p.shown:,} of {p.lines:,})" for p in diff.cut]
        said.append(f"cut: {diff.shown:,} of {diff.lines:,} lines are shown; of {_names(each)}")
    if diff.not_utf8:
        said.append(f"not plain UTF-8: {_names(_told(diff))}")
    said += [f"{shown(path)}: {left_out(looks)}" for path, looks in diff.secrets.items()]
    return _listed(said)


def _told(diff: Diff) -> list[str]:
    return [f"{part.path} ({part.remark})" for part in diff.parts if part.remark]


def _listed(said: Iterable[str]) -> str:
    return "".join(f"\n[{each}]" for each in said)


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_IN_A_SENTENCE
    first = ", ".join(map(shown, names[:_MOST_IN_A_SENTENCE]))
    return f"{first} and {more:,} more" if more > 0 else first


def _fenced(text: str, language: str) -> str:
    """The text between fences longer than any in it."""
    text = text.rstrip("\n")
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
