"""An investigation as text for a model: the problem, every step with its findings, what was found in all, the task. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from exai_trio.tools.workflow.steps.investigation_state import Note, State
from exai_trio.workspace.path_policy import shown

Section = tuple[str, str]  # title, text


def investigation(
    tool: str, state: State, *, sections: Iterable[Section] = (), task: str = ""
) -> str:
    """Each text stands once: the first step as the problem, the others as they came, then what they add up to."""
    parts = [f"# {tool}", _section("Problem", state.first.text)]
    if state.own_arguments:
        parts.append(_section("Scope", _facts(state.own_arguments)))
    parts += [_step(note, is_first=note is state.first) for note in state.notes]
    parts.append(_section("Summary", _summary(state)))
    parts += [_section(title, text) for title, text in sections]
    parts.append(_section("Task", task))
    return "\n\n".join(part for part in parts if part)


def question_only(state: State) -> str:
    """What was asked, without what the agent found: for models that are to judge for themselves."""
    return "\n\n".join(note.text for note in state.notes)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _step(note: Note, *, is_first: bool) -> str:
    said = [] if is_first else [note.text]
    if note.findings:
        said.append(f"Findings:\n{note.findings}")
    branch = f", branch {note.branch}" if note.branch else ""
    return _section(f"Step {note.number} of {note.total}{branch}", "\n\n".join(said))


def _summary(state: State) -> str:
    lines = [
        _line("Hypothesis", state.hypothesis),
        _line("Confidence", state.newest("confidence")),
        _line("Files checked", ", ".join(map(shown, state.files_checked))),
        _line("Relevant code", ", ".join(state.relevant_context)),
        *(["Issues found:", *map(issue_line, state.issues)] if state.issues else []),
    ]
    return "\n".join(filter(None, lines))


def _line(name: str, text: str) -> str:
    return f"{name}: {text}" if text else ""


def _facts(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_flat(value)}" for name, value in facts.items())


def _flat(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def issue_line(issue: Mapping[str, Any]) -> str:
    """One issue on one line: severity and description first, whatever else it has behind."""
    severity, what = issue.get("severity"), issue.get("description", "")
    rest = {name: value for name, value in issue.items() if name not in {"severity", "description"}}
    parts = [f"[{severity}]" if severity else "", str(what), _flat(rest) if rest else ""]
    return f"- {' '.join(filter(None, parts))}"
