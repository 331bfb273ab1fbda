"""A call that is run again, because its daemon was killed before its outcome was written down, stores nothing twice."""

from contextlib import suppress

import attrs
import pytest

from exai_trio.storage.memory.conversation_store import MemoryStore

STEP = {
    "step": "look",
    "step_number": 1,
    "total_steps": 1,
    "next_step_required": False,
    "findings": "found",
}
ASKED = {
    "chat": {"prompt": "why?"},
    "debug": STEP,
    "thinkdeep": STEP,
    "planner": {name: STEP[name] for name in STEP if name != "findings"},
    "consensus": STEP | {"models": ["glm-4.6", "kimi-k2.6"]},
    "tracer": STEP | {"trace_mode": "precision", "target_description": "main"},
}


def later(caller):
    return attrs.evolve(caller, attempt=caller.attempt + 1)


def thread_of(answer):
    said = answer.structured
    return said.get("continuation_id") or said["continuation_offer"]["continuation_id"]


@pytest.mark.parametrize("goes_on", [False, True], ids=["new", "going on"])
@pytest.mark.parametrize("name", ASKED)
async def test_a_second_run_stores_nothing_and_asks_nobody(bench, name, goes_on):
    """It answers in the same conversation, with what is stored there; no model is paid for it again."""
    begun = thread_of(await bench.call("chat", prompt="first")) if goes_on else ""
    arguments = ASKED[name] | ({"continuation_id": begun} if goes_on else {})
    first = await bench.run_again(name, bench.caller, **arguments)
    stored = await bench.store.load(thread_of(first), bench.clock())
    steps = await bench.store.steps(thread_of(first), bench.clock())
    asked = len(bench.gateway.requests)
    second = await bench.run_again(name, later(bench.caller), **arguments)

    assert thread_of(first) == thread_of(second)
    assert stored == await bench.store.load(thread_of(first), bench.clock())
    assert steps == await bench.store.steps(thread_of(first), bench.clock())
    assert asked == len(bench.gateway.requests)
    assert first.structured["status"] == second.structured["status"]
    assert 1 == len(await bench.store.recent(bench.clock()))


class Death(Exception):
    """The process is no more."""


@attrs.define
class Killed(MemoryStore):
    """A store whose daemon dies before its nth write."""

    writes: int = 0
    most: int = 99

    def of(self, _principal):
        return self

    async def append(self, *given):
        self._write()
        return await super().append(*given)

    async def add_step(self, *given):
        self._write()
        return await super().add_step(*given)

    def _write(self):
        self.writes += 1
        if self.writes > self.most:
            raise Death


@pytest.mark.parametrize("most", [0, 1, 2])
async def test_a_run_that_was_killed_anywhere_is_finished_by_the_next(bench, most):
    """Of an investigation's end, wherever it was cut: one note, one exchange, one end, each once."""
    bench.store = Killed(most=most)
    with suppress(Death):
        await bench.run_again("debug", bench.caller, **STEP)
    bench.store.most = 99
    last = await bench.run_again("debug", later(bench.caller), **STEP)
    found = await bench.store.load(thread_of(last), bench.clock())
    steps = await bench.store.steps(thread_of(last), bench.clock())

    assert ["user", "assistant"] == [turn.role for turn in found.turns]
    assert [True, False] == ["note" in step.data for step in steps]
    assert (2 if most == 1 else 1) == len(bench.gateway.requests)


async def test_the_same_question_in_two_calls_is_two_exchanges(bench):
    """Only runs of one call share a key."""
    begun = thread_of(await bench.call("chat", prompt="why?"))
    for _ in range(2):
        await bench.call("chat", prompt="why?", continuation_id=begun)
    found = await bench.store.load(begun, bench.clock())

    assert 6 == len(found.turns)


async def test_the_last_exchange_of_a_conversation_is_told_again(bench):
    """A second run is no exchange too many."""
    bench.config = attrs.evolve(bench.config, max_conversation_turns=1)
    first = await bench.run_again("chat", bench.caller, prompt="why?")
    second = await bench.run_again("chat", later(bench.caller), prompt="why?")

    assert first.structured["content"] == second.structured["content"]
    assert "continuation_offer" not in second.structured


async def test_another_principals_run_finds_nothing(bench):
    """Even with the same key: a key is of one's own."""
    await bench.run_again("chat", bench.caller, prompt="why?")
    other = attrs.evolve(bench.caller, principal="jwt:b", attempt=2)
    answer = await bench.run_again("chat", other, prompt="why?")
    seen = await bench.store.of("jwt:b").recent(bench.clock())

    assert 2 == len(bench.gateway.requests)
    assert "stored before" not in str(answer.structured)
    assert [] == list(seen)
