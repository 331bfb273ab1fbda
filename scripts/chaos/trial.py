"""One scenario's run: its calls, what must hold for each of them, and what was counted. How it is shown: `report`."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import trio

from .children import resident
from .editor import Answer, Editor
from .provider import Visit
from .world import World

MAX_ATTEMPTS = 2  # EXAI_CALL_MAX_ATTEMPTS


@attrs.define
class Asked:
    """A call of an editor's. `answer` is None until the end if there was none."""

    mark: str
    id: int
    at: float
    answer: Answer | None = None


@attrs.define(kw_only=True)
class Trial:
    """`cycles` is how many are wanted, `broken` what did not hold; the counts are sums over the cycles done."""

    name: str
    cycles: int
    random: random.Random
    done: int = 0
    accepted: int = 0
    answered: int = 0
    executed: int = 0
    failures: Counter[str] = attrs.field(factory=Counter[str])
    broken: list[str] = attrs.field(factory=list[str])
    notes: list[str] = attrs.field(factory=list[str])
    runs_per_call: Counter[int] = attrs.field(factory=Counter[int])
    figures: dict[str, list[float]] = attrs.field(factory=dict)
    _marks: int = 0

    def rounds(self) -> Iterator[int]:
        """The cycles, one after another; `done` is the one that runs."""
        while self.done < self.cycles:
            self.done += 1
            yield self.done

    def mark(self) -> str:
        """A text that no other call of this run has."""
        self._marks += 1
        return f"call-{self.done}-{self._marks}"

    def figure(self, name: str, value: float) -> None:
        self.figures.setdefault(name, []).append(value)

    def hold(self, what: object, otherwise: str) -> None:
        """Note that something which must be is not."""
        if not what:
            self.broken.append(f"cycle {self.done}: {otherwise}")

    async def ask(self, editor: Editor, count: int, directive: str = "") -> list[Asked]:
        """So many chats, all under way at once."""
        return [await self._ask(editor, directive) for _ in range(count)]

    async def _ask(self, editor: Editor, directive: str) -> Asked:
        mark, at = self.mark(), trio.current_time()
        words = f" [[simulate: {directive}]]" if directive else ""
        id_ = await editor.call("chat", prompt=mark + words, use_websearch=False)
        return Asked(mark, id_, at)

    async def echo(self, editor: Editor, **arguments: Any) -> Asked:
        mark, at = self.mark(), trio.current_time()
        return Asked(mark, await editor.call("test_echo", prompt=mark, **arguments), at)

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
            self.hold(
                one.answer.code or one.mark in one.answer.text, f"{one.mark}: another's answer"
            )

    async def count(self, world: World, *, most: int = MAX_ATTEMPTS) -> list[Visit]:
        """What reached the provider since the last time; at most `most` times for each call, under one key."""
        visits = await world.provider.visits()
        keys: dict[str, set[str]] = {}
        for visit in visits:
            keys.setdefault(visit.mark, set()).add(visit.key)
        for mark, times in Counter(visit.mark for visit in visits).items():
            self.runs_per_call[times] += 1
            self.executed += times
            self.hold(times <= most, f"{mark} was carried out {times} times")
            self.hold(len(keys[mark]) == 1, f"{mark} under several keys {keys[mark]}")
        return visits

    def weigh(self, name: str, pid: int) -> None:
        """How much memory a process has, to see whether it stays flat over the cycles."""
        self.figure(f"{name} MiB", resident(pid) / 2**20)
