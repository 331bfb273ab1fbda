"""From the arguments of a step to the note that is kept of it, and what is refused first. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import attrs

from exai_trio.errors import ArgumentError
from exai_trio.tools.workflow.step_arguments import COMMON, Stepwise
from exai_trio.tools.workflow.steps.investigation_state import Note

MOST_CHARACTERS: Final[Mapping[str, int]] = {"step": 100_000, "findings": 50_000}


def check_lengths(arguments: Stepwise) -> None:
    """Raises: ArgumentError naming the field and the limit."""
    for field, most in MOST_CHARACTERS.items():
        size = len(getattr(arguments, field, ""))
        if size > most:
            raise ArgumentError(
                f"{field} has {size:,} characters; at most {most:,} are taken. Name files instead of pasting them.",
                details={"field": field, "value": size, "allowed": f"at most {most} characters"},
            )


def note_of(arguments: Stepwise, files: Iterable[str], facts: Mapping[str, Any]) -> Note:
    """The note of this step. A number above the total raises the total; `files` are its relevant files, resolved."""

    def said(name: str, default: Any) -> Any:
        return getattr(arguments, name, default)

    return Note(
        number=arguments.step_number,
        total=max(arguments.total_steps, arguments.step_number),
        more=arguments.next_step_required,
        text=arguments.step,
        findings=said("findings", ""),
        branch=said("branch_id", ""),
        files_checked=said("files_checked", ()),
        relevant_files=tuple(files),
        relevant_context=said("relevant_context", ()),
        issues=tuple(map(_described, said("issues_found", ()))),
        images=said("images", ()),
        confidence=said("confidence", None) or "",
        hypothesis=said("hypothesis", ""),
        model=said("model", ""),
        backtrack=said("backtrack_from_step", None),
        own=_own(arguments),
        facts=dict(facts),
    )


def _described(issue: object) -> dict[str, Any]:
    """An issue as an object; one that came as plain text describes itself."""
    if isinstance(issue, dict):
        return cast("dict[str, Any]", issue)
    return {"description": str(issue)}


def _own(arguments: Stepwise) -> dict[str, Any]:
    """The arguments that only this tool has, unless they are at their default: then an earlier step's count on."""
    values = {
        field.name: getattr(arguments, field.name)
        for field in attrs.fields(type(arguments))
        if field.name not in COMMON
    }
    defaults = {field.name: field.default for field in attrs.fields(type(arguments))}
    return {name: value for name, value in values.items() if value != defaults[name]}
