"""A plan out of its steps: revisions in the place of what they revise, branches behind the trunk. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from exai_trio.tools.workflow.steps.investigation_state import Note, State

Place = tuple[str, int]  # branch and number


def merged(state: State) -> dict[str, Any]:
    """The plan as text, and how many steps, branches and revisions it has."""
    shown = _current(state.notes)
    branches = list(dict.fromkeys(note.branch for note in shown if note.branch))
    lines = ["# Plan", *_lines(shown, "")]
    for branch in branches:
        lines += ["", f"## Branch {branch}{_origin(shown, branch)}", *_lines(shown, branch)]
    return {
        "text": "\n".join(lines),
        "steps": len(shown),
        "branches": branches,
        "revisions": len(state.notes) - len(shown),
    }


def progress(state: State) -> Mapping[str, Any]:
    plan = merged(state)
    return {name: plan[name] for name in ("steps", "branches", "revisions")}


def _current(notes: Iterable[Note]) -> list[Note]:
    """The steps of the plan: a revision, also one of a revision, gives its text to the step that it is about in the end."""
    shown: dict[Place, Note] = {}
    stands_at: dict[Place, Place] = {}
    for note in notes:
        place = stands_at.get(_target(note), note.place)
        stands_at[note.place] = place
        earlier = shown.get(place)
        shown[place] = note if earlier is None else _revised(earlier, note)
    return list(shown.values())


def _target(note: Note) -> Place:
    return note.branch, note.own.get("revises_step_number", note.number)


def _revised(earlier: Note, revision: Note) -> Note:
    return attrs.evolve(earlier, text=f"{revision.text} (revised in step {revision.number})")


def _lines(shown: Iterable[Note], branch: str) -> list[str]:
    return [f"{note.number}. {note.text}" for note in shown if note.branch == branch]


def _origin(shown: Iterable[Note], branch: str) -> str:
    for note in shown:
        if note.branch == branch and "branch_from_step" in note.own:
            return f" (from step {note.own['branch_from_step']})"
    return ""
