"""One scenario's run: its calls, what must hold for each of them, and what was counted. How it is shown: `report`."""

import random
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import attrs
import trio

from .children import descriptors, resident
from .editor import Answer, Editor
from .provider import Visit
from .world import World

MAX_ATTEMPTS = 2  # EXAI_CALL_MAX_ATTEMPTS
Series = dict[str, "array[float]"]
_BROKEN_ENOUGH = 50  # a trial ends: more of the same teaches nothing


@attrs.define
class Asked:
    """A call of an editor's. `answer` is None until the end if there was none."""

    mark: str
    id: int
    at: float
    answer: Answer | None = None


@attrs.define(kw_only=True)
class Trial:
    """`cycles` is how many are wanted, `broken` what did not hold; the counts are sums over the cycles done. `forked`: the
    daemons that are killed load nothing.

    `phases` is how far calls had come when their daemon was killed. `figures` are times, `weights` what must stay flat.
    """

    name: str
    cycles: int
    random: random.Random
    forked: bool = False
    done: int = 0
    kills: int = 0
    accepted: int = 0
    answered: int = 0
    executed: int = 0
    failures: Counter[str] = attrs.field(factory=Counter[str])
    broken: list[str] = attrs.field(factory=list[str])
    notes: list[str] = attrs.field(factory=list[str])
    runs_per_call: Counter[int] = attrs.field(factory=Counter[int])
    phases: Counter[str] = attrs.field(factory=Counter[str])
    figures: Series = attrs.field(factory=dict)
    weights: Series = attrs.field(factory=dict)
    _marks: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is another cycle."""
        return self.done < self.cycles and len(self.broken) < _BROKEN_ENOUGH

    def rounds(self, most: int = sys.maxsize) -> Iterator[int]:
        """The cycles, one after another, at most so many; `done` is the one that runs."""
        last = self.done + most
        while self.goes_on and self.done < last:
            self.done += 1
            yield self.done

    def with_(self, other: "Trial") -> "Trial":
        """The sums of two that played side by side."""
        cycles = self.cycles + other.cycles
        one = Trial(name=self.name, cycles=cycles, random=self.random, forked=self.forked)
        for name in ("done", "kills", "accepted", "answered", "executed", "failures", "runs_per_call", "phases"):  # fmt: skip
            setattr(one, name, getattr(self, name) + getattr(other, name))
        one.broken, one.notes = self.broken + other.broken, list({*self.notes, *other.notes})
        one.figures, one.weights = _both(self.figures, other.figures), _both(self.weights, other.weights)  # fmt: skip
        return one

    def mark(self) -> str:
        """A text that no other call of this run has."""
        self._marks += 1
        return f"call-{self.done}-{self._marks}"

    def figure(self, name: str, value: float) -> None:
        self.figures.setdefault(name, array("d")).append(value)

    def weight(self, name: str, value: float) -> None:
        self.weights.setdefault(name, array("d")).append(value)

    def hold(self, what: object, otherwise: str) -> None:
        """Note that something which must be is not."""
        if not what:
            self.broken.append(f"cycle {self.done}: {otherwise}")

    async def ask(self, editor: Editor, count: int, directive: str = "") -> list[Asked]:
        """So many chats, all under way at once. MARK in the directive is the call's own."""
        return [await self.ask_one(editor, directive) for _ in range(count)]

    async def ask_one(self, editor: Editor, directive: str = "") -> Asked:
        mark, at = self.mark(), trio.current_time()
        id_ = await editor.call("chat", prompt=prompt(mark, directive), use_websearch=False)
        return Asked(mark, id_, at)

    async def echo(self, editor: Editor, *, padding: int = 0, **arguments: Any) -> Asked:
        """A call that gives its mark back, and so many words."""
        mark, at = self.mark(), trio.current_time()
        text = mark + " x" * padding
        return Asked(mark, await editor.call("test_echo", prompt=text, **arguments), at)

    async def hear(self, editor: Editor, asked: Iterable[Asked], within: float = 30.0) -> None:
        """Wait for the answer to each; every one must come, and come once."""
        for one in asked:
            one.answer = await editor.answer(one.id, within)
            self.accepted += 1
            self.answered += one.answer is not None
            self.hold(one.answer, f"{one.mark} was not answered within {within:g} s")
            if one.answer is not None and one.answer.code:
                self.failures[one.answer.code] += 1
        self.hold(not editor.unasked, f"answered twice or unasked: {editor.unasked}")
        editor.unasked.clear()

    def must_succeed(self, asked: Iterable[Asked]) -> None:
        """Nothing that happened here excuses a failure, and the answer must be the call's own."""
        for one in asked:
            if one.answer is None:
                continue
            self.hold(not one.answer.code, f"{one.mark} failed: {one.answer.text[:200]}")
            is_its_own = one.answer.code or one.mark in one.answer.text
            self.hold(is_its_own, f"{one.mark}: another's answer: {one.answer.text[:200]}")

    async def count(self, world: World, *, most: int = MAX_ATTEMPTS) -> list[Visit]:
        """What reached the provider since the last time; at most `most` times for each call, under one key. A 400 is no run: GLM
        refuses so what it is still busy with.

        To be asked when all of a cycle's calls are answered: a visit for a call of an earlier one is a run after its answer.
        """
        visits = [one for one in await world.provider.visits() if one.mark and one.status != 400]
        keys: dict[str, set[str]] = {}
        for visit in visits:
            keys.setdefault(visit.mark, set()).add(visit.key)
        for mark, times in Counter(visit.mark for visit in visits).items():
            self.runs_per_call[times] += 1
            self.executed += times
            self.hold(times <= most, f"{mark} was carried out {times} times")
            self.hold(len(keys[mark]) == 1, f"{mark} under several keys {keys[mark]}")
            self.hold(mark.startswith(f"call-{self.done}-"), f"{mark} was carried out afterwards")
        self.hold(not world.provider.missed, "the simulator's log is too short for this")
        return visits

    def judge(
        self, answered: Mapping[str, bool], journal: Mapping[str, bool], visits: Iterable[Visit]
    ) -> None:
        """The calls that a kill struck: whether each was answered before it, and what the journal held between the daemons.

        A call whose outcome was on disk, or answered, must not have run again.
        """
        runs: dict[str, list[Visit]] = {mark: [] for mark in answered}
        for visit in visits:
            runs.setdefault(visit.mark, []).append(visit)
        for mark, early in answered.items():
            self.phases[_phase(early, journal.get(mark), runs[mark])] += 1
            once = early or journal.get(mark)
            self.hold(runs[mark], f"{mark} was answered and never carried out")
            self.hold(not once or len(runs[mark]) == 1, f"{mark} ran again after its outcome was journalled")  # fmt: skip

    def weigh(self, name: str, pid: int) -> None:
        """How much a process holds, to see whether it stays flat over the cycles."""
        self.weight(f"{name}, MiB", resident(pid) / 2**20)
        self.weight(f"{name}, descriptors", descriptors(pid))


def prompt(mark: str, directive: str) -> str:
    return f"{mark} [[simulate: {directive.replace('MARK', mark)}]]" if directive else mark


def _both(one: Series, other: Series) -> Series:
    """What two worlds gave at about the same time stands side by side, so that a series keeps its order in time."""
    empty = array("d")
    return {
        name: array("d", [value for pair in zip_longest(one.get(name, empty), other.get(name, empty)) for value in pair if value is not None])
        for name in {**one, **other}
    }  # fmt: skip


def _phase(answered: bool, outcome: bool | None, runs: list[Visit]) -> str:  # noqa: FBT001
    """How far a call had come when the daemon was killed."""
    if answered:
        return "answered"
    if outcome is None:
        return "not accepted"
    if outcome:
        return "outcome journalled"
    if len(runs) < 2:
        return "accepted"
    return "streaming" if runs[0].sent else "asked"
