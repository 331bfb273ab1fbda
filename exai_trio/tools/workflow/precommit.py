"""precommit: validates a change before it is committed. EXAI itself asks git what has changed; an expert judges at the end."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.files import opening, paths
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow import git
from exai_trio.tools.workflow.arguments import Inquiry, Severity
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.kinds import Findings, StepCall, Workflow

_MOST_SHOWN = 200  # changed files named to the agent


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
    arguments = call.arguments
    directory = await _directory(arguments.path or call.state.own("path", ""), call)
    call.caller.stage("reading files", f"precommit: git status of {paths.shown(str(directory))}")
    repository = await git.open_repository(directory, call.caller.roots)
    status = await repository.status()
    compare_to = arguments.compare_to or call.state.own("compare_to", "")
    wanted: list[tuple[str, Callable[[], Awaitable[git.Printed]]]] = []
    if _still(call, "include_staged"):
        wanted.append(("Staged changes", repository.staged))
    if _still(call, "include_unstaged"):
        wanted.append(("Unstaged changes", repository.unstaged))
    if compare_to:
        wanted.append((f"Changes since {compare_to}", lambda: repository.against(compare_to)))
    diffs = [(title, await diff()) for title, diff in wanted]
    sections = [("git status", _fenced(status, "")), *((t, _fenced(d, "diff")) for t, d in diffs)]
    return Findings(
        sections=tuple(section for section in sections if section[1]),
        answer={"git": _in_short(directory, status, diffs)},
    )


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
                f"path: no allowed root is known; name a directory and set {paths.SETTING}.",
                details={"field": "path", "setting": paths.SETTING},
            )
        given = str(roots[0])
    resolved, is_directory = await trio.to_thread.run_sync(
        _resolved, given, roots, limiter=call.services.files.limiter
    )
    if not is_directory:
        raise ArgumentError(
            f"path: {paths.shown(given)!r} is no directory.", details={"field": "path"}
        )
    return resolved


def _resolved(given: str, roots: tuple[Path, ...]) -> tuple[Path, bool]:
    resolved = opening.resolve(given, roots)
    return resolved, opening.is_directory(resolved)


def _fenced(printed: git.Printed, language: str) -> str:
    """The output between fences longer than any in it."""
    text = printed.text.rstrip("\n")
    if not text:
        return ""
    fence = "```"
    while fence in text:
        fence += "`"
    cut = "\n[cut: the rest is longer than may be shown]" if printed.cut else ""
    return f"{fence}{language}\n{text}\n{fence}{cut}"


def _in_short(
    directory: Path, status: git.Printed, diffs: list[tuple[str, git.Printed]]
) -> dict[str, Any]:
    branch, *changed = status.text.removesuffix("\n").split("\n")
    facts: dict[str, Any] = {
        "directory": str(directory),
        "branch": branch.removeprefix("## "),
        "changed": changed[:_MOST_SHOWN],
        "lines_of_diff": {title: diff.text.count("\n") for title, diff in diffs},
    }
    if len(changed) > _MOST_SHOWN:
        facts["changed_left_out"] = len(changed) - _MOST_SHOWN
    return facts


TOOL = tool(
    Workflow(
        name="precommit",
        description="Stepwise check of uncommitted changes; runs git itself; ends with an expert model's view.",
        arguments=Arguments,
        done=Status.VALIDATION_COMPLETE,
        visibility="advanced",
        actions=(
            "Look through the changes that precommit_status.git names; compare them with what was asked for.",
            "Check callers of what changed, tests, error paths, documents, secrets and leftovers.",
            "Name the files that matter in relevant_files, and each finding in issues_found with severity and place.",
        ),
        look=look,
    )
)
