"""precommit: validates a change before it is committed.

EXAI itself asks git what has changed; an expert judges at the end.
"""

import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.changes import change_report, changed_files, git_status
from exai_trio.tools.workflow.changes.change_report import Changes
from exai_trio.tools.workflow.changes.changed_files import Repository
from exai_trio.tools.workflow.changes.diffs import Diff, Part, Shares, without_secrets
from exai_trio.tools.workflow.definition import Findings, StepCall, Workflow
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.step_arguments import Inquiry, Severity
from exai_trio.workspace import path_policy, safe_open
from exai_trio.workspace.directories import MOST_FILES
from exai_trio.workspace.sendable import Access

# What git puts before each line of a diff, or of one against two sides; never a dash of the line itself, by which keys are known.
_COLUMNS = re.compile(r"^[ +-]{1,2}(?!-)", re.MULTILINE)

_MOST_LOOKED_AT = 1024 * 1024  # bytes of one file

Asked = Callable[[], Awaitable[Diff]]


@structs.frozen(kw_only=True)
class Arguments(Inquiry):
    """What precommit takes."""

    path: str = ""
    compare_to: str = ""
    include_staged: bool = True
    include_unstaged: bool = True
    focus_on: str = ""
    severity_filter: Severity = "all"


async def look(call: StepCall) -> Findings:
    """What git says of the change: in short for the agent, whole for the expert."""
    directory = await _directory(call.arguments.path or call.state.own("path", ""), call)
    call.caller.stage(
        "reading files", f"precommit: git status of {path_policy.shown(str(directory))}"
    )
    async with changed_files.opened(directory, call.caller.roots) as opened:
        repository, status = await changed_files.without_foreign(opened, await opened.status())
        diffs = [
            (title, await _without_secrets(await diff(), directory, call))
            for title, diff in _wanted(call, repository)
        ]
        unstaged = _still(call, "include_unstaged")
        changed = [c for c in status.changes if c.is_in_work_tree and not c.is_submodule]
        filtered = await repository.filtered(changed) if unstaged else {}
        untracked, unread = await _untracked(call, repository, status) if unstaged else (Diff(), {})
    found = Changes(
        directory=str(directory),
        prefix=repository.prefix,
        status=status,
        diffs=diffs,
        untracked=untracked,
        unread=unread,
        filtered=filtered,
        remarks=repository.remarks,
    )
    return Findings(
        sections=change_report.sections(found), answer={"git": change_report.in_short(found)}
    )


def _wanted(call: StepCall, repository: Repository) -> list[tuple[str, Asked]]:
    wanted: list[tuple[str, Asked]] = []
    if _still(call, "include_staged"):
        wanted.append(("Staged changes", repository.staged))
    if _still(call, "include_unstaged"):
        wanted.append(("Unstaged changes", repository.unstaged))
    compare_to = call.arguments.compare_to or call.state.own("compare_to", "")
    if compare_to:
        title = f"Changes since {path_policy.shown(compare_to)}"
        wanted.append((title, partial(repository.against, compare_to)))
    return wanted


async def _without_secrets(diff: Diff, directory: Path, call: StepCall) -> Diff:
    files = call.services.files
    look = partial(_looks_like, directory=directory, access=files.access(call.caller.roots))
    return await trio.to_thread.run_sync(without_secrets, diff, look, limiter=files.limiter)


def _looks_like(part: Part, directory: Path, access: Access) -> str:
    """Which secret a file looks like by its name, by what of it is shown, or by what it is now, or "". A diff may begin in the
    middle of a key."""
    path = directory / part.path
    shown = _COLUMNS.sub("", part.text).encode(errors="replace")
    by_name = access.why_not(str(path), path)
    return by_name or access.why_not_content(path, shown) or _looks_now(path, access)


def _looks_now(path: Path, access: Access) -> str:
    try:
        content = safe_open.content(access.resolve(str(path)), _MOST_LOOKED_AT)
    except (ArgumentError, NotFoundError):
        # audit: empty-handler, because what cannot be read is told as changed
        return ""
    return access.why_not_content(path, content)


async def _untracked(
    call: StepCall, repository: Repository, status: git_status.Status
) -> tuple[Diff, dict[str, str]]:
    """The files that git does not know yet, and those of them that cannot be shown, with the reasons; by their paths in the directory."""
    files = call.services.files
    names = [change.path for change in status.changes if change.is_untracked]
    paths_of = {name: str(repository.view.top / name) for name in names[:MOST_FILES]}
    unread = await trio.to_thread.run_sync(_no_files, paths_of, limiter=files.limiter)
    again = [path for name, path in paths_of.items() if name not in unread]
    readings = {r.path: r for r in await files.read_again(again, call.caller.roots)}
    unread |= dict.fromkeys(names[MOST_FILES:], "not read")
    shares = Shares(changed_files.MOST_BYTES)
    for name, path in paths_of.items():
        reading = readings.get(path)
        if reading is not None and reading.reason:
            unread[name] = reading.reason
        elif reading is not None:
            shares.add_file(name.removeprefix(repository.prefix), reading.text, reading.remark)
    return shares.finished(), {
        name.removeprefix(repository.prefix): unread[name] for name in names if name in unread
    }


def _no_files(paths_of: dict[str, str]) -> dict[str, str]:
    """Those of the new names that git does not look into or through, with what they are."""
    found: dict[str, str] = {}
    for name, path in paths_of.items():
        if os.path.islink(path):  # noqa: PTH114  # strings: there can be many
            found[name] = "a link"
        elif name.endswith("/"):
            found[name] = "a repository of its own"
    return found


def _still(call: StepCall, part: str) -> bool:
    """Whether this part is wanted: once an earlier step has left it out, it stays out."""
    wanted: bool = getattr(call.arguments, part)
    return wanted and part not in call.state.own_arguments


async def _directory(given: str, call: StepCall) -> Path:
    """The directory to look at; "." or nothing is the first allowed root. Raises: ArgumentError."""
    roots = call.caller.roots
    if given in {"", "."}:
        if not roots:
            raise ArgumentError(
                f"path: no allowed root is known; name a directory and set {path_policy.SETTING}.",
                details={"field": "path", "setting": path_policy.SETTING},
            )
        given = str(roots[0])
    resolved, is_directory = await trio.to_thread.run_sync(
        _resolved, given, roots, limiter=call.services.files.limiter
    )
    if not is_directory:
        raise ArgumentError(
            f"path: {path_policy.shown(given)!r} is no directory.", details={"field": "path"}
        )
    return resolved


def _resolved(given: str, roots: tuple[Path, ...]) -> tuple[Path, bool]:
    resolved = safe_open.resolve(given, roots)
    return resolved, safe_open.is_directory(resolved)


TOOL = tool(
    Workflow(
        name="precommit",
        description="Stepwise check of uncommitted changes by git: you investigate between steps, then an expert judges.",
        arguments=Arguments,
        done=Status.VALIDATION_COMPLETE,
        visibility="advanced",
        names_deleted=True,
        actions=(
            "Look through the changes that precommit_status.git names; compare them with what was asked for.",
            "Check callers of what changed, tests, error paths, documents, secrets and leftovers.",
            "Name the files that matter in relevant_files, and each finding in issues_found with severity and place.",
        ),
        look=look,
    )
)
