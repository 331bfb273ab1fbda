"""What an investigation is after its steps: the reducer over the notes of one tool in one conversation. Pure.

Notes are only ever added, so any order of arrival gives one state; what a later note replaces is kept as history.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce
from typing import Any, TypeVar

import attrs
import msgspec

from exai_trio import structs

T = TypeVar("T")

LOW_CONFIDENCE = frozenset({"exploring", "low"})
STAGNANT_STEPS = 3


@structs.frozen(kw_only=True)
class Note:
    """One step as the agent sent it. `own` are the arguments of this tool alone, `facts` what the tool itself found out."""

    number: int
    total: int
    more: bool
    text: str
    findings: str = ""
    branch: str = ""
    files_checked: tuple[str, ...] = ()
    relevant_files: tuple[str, ...] = ()
    relevant_context: tuple[str, ...] = ()
    issues: tuple[dict[str, Any], ...] = ()
    images: tuple[str, ...] = ()
    confidence: str = ""
    hypothesis: str = ""
    model: str = ""
    backtrack: int | None = None
    own: dict[str, Any] = attrs.field(factory=dict[str, Any])
    facts: dict[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def place(self) -> tuple[str, int]:
        return self.branch, self.number

    def as_data(self) -> dict[str, Any]:
        return {"note": msgspec.to_builtins(self)}


@structs.frozen(kw_only=True)
class State:
    """An investigation so far: the notes that count, in order; those that were replaced or left behind; whether it is over."""

    notes: tuple[Note, ...] = ()
    history: tuple[Note, ...] = ()
    done: bool = False

    @property
    def first(self) -> Note:
        return self.notes[0]

    @property
    def files_checked(self) -> list[str]:
        return _each_once(path for note in self.notes for path in note.files_checked)

    @cached_property
    def relevant_files(self) -> list[str]:
        return _each_once(path for note in self.notes for path in note.relevant_files)

    @property
    def relevant_context(self) -> list[str]:
        return _each_once(name for note in self.notes for name in note.relevant_context)

    @property
    def images(self) -> list[str]:
        return _each_once(image for note in self.notes for image in note.images)

    @property
    def issues(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for issue in (issue for note in self.notes for issue in note.issues):
            if issue not in found:
                found.append(issue)
        return found

    @property
    def confidence(self) -> str:
        return self.newest("confidence") or "low"

    @property
    def hypothesis(self) -> str:
        return self.newest("hypothesis")

    @property
    def model(self) -> str:
        """The model named last, or ""."""
        return self.newest("model")

    def newest(self, field: str) -> str:
        return next((said for note in reversed(self.notes) if (said := getattr(note, field))), "")

    def own(self, name: str, default: T) -> T:
        """The newest value of one of the tool's own arguments."""
        return next((note.own[name] for note in reversed(self.notes) if name in note.own), default)

    @property
    def own_arguments(self) -> dict[str, Any]:
        """All of them, the newest values, in the order in which they were first given."""
        found: dict[str, Any] = {}
        for note in self.notes:
            found.update(note.own)
        return found

    @property
    def is_stagnant(self) -> bool:
        """The last few steps were all equally unsure."""
        last = [note.confidence for note in self.notes][-STAGNANT_STEPS:]
        return len(last) == STAGNANT_STEPS and len(set(last)) == 1 and last[0] in LOW_CONFIDENCE


def _each_once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def over() -> dict[str, Any]:
    """What is noted when an investigation has its outcome."""
    return {"over": True}


def state_of(noted: Iterable[Mapping[str, Any]]) -> State:
    """The state after these notes, given as plain data."""
    return reduce(_after, noted, State())


def _after(state: State, data: Mapping[str, Any]) -> State:
    if "note" not in data:
        return attrs.evolve(state, done=True)
    return with_note(state, msgspec.convert(data["note"], Note))


def with_note(state: State, note: Note) -> State:
    """A first step after the end begins anew; a step given again takes its place; a backtrack leaves later ones behind."""
    if state.done and note.number == 1:
        return State(notes=(note,), history=(*state.history, *state.notes))
    left = [each for each in state.notes if _is_replaced(each, note)]
    kept = [each for each in state.notes if not _is_replaced(each, note)]
    return State(
        notes=tuple(sorted([*kept, note], key=_order)),
        history=(*state.history, *left),
    )


def _is_replaced(earlier: Note, note: Note) -> bool:
    if earlier.place == note.place:
        return True
    behind = note.backtrack is not None and earlier.number >= note.backtrack
    return behind and earlier.branch == note.branch


def _order(note: Note) -> int:
    return note.number
