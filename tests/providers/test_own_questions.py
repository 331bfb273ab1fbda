"""What the daemon asks by itself gives way to users' calls, and its faults are told as they are."""

from types import SimpleNamespace

import attrs
import pytest
import trio

from exai_trio.errors import OverCapacityError, ProviderBusyError
from exai_trio.providers.own_questions import Asked, OwnQuestions

ASKED = Asked(model="m", system="s", user="u\ud800", most_tokens=9, purpose="audit")


@attrs.define
class Gateway:
    """Of one provider, which answers after a minute, or with a fault."""

    current: int = 1
    waiting: int = 0
    fault: Exception | None = None
    asked: int = 0

    def choose(self, name):
        return SimpleNamespace(provider="glm", model=SimpleNamespace(name=name))

    def permits(self):
        return {"glm": SimpleNamespace(current=self.current, waiting=self.waiting)}

    async def chat(self, *_asked):
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        await trio.sleep(60)
        usage = SimpleNamespace(input_tokens=2, output_tokens=3)
        return SimpleNamespace(text="said", model_used="m", usage=usage, cost=None)


@pytest.mark.parametrize("needed", [{"current": 0}, {"waiting": 1}])
async def test_nothing_is_asked_while_calls_need_the_provider(needed):
    gateway = Gateway(**needed)
    with pytest.raises(OverCapacityError):
        await OwnQuestions(gateway).ask(ASKED)

    assert 0 == gateway.asked


async def test_a_question_ends_as_soon_as_a_call_waits(autojump_clock, nursery):
    """And is answered where none does."""
    gateway = Gateway()
    said = await OwnQuestions(gateway).ask(ASKED)
    began = trio.current_time()

    async def call():
        await trio.sleep(1)
        gateway.waiting = 1

    nursery.start_soon(call)
    with pytest.raises(OverCapacityError) as refused:
        await OwnQuestions(gateway).ask(ASKED)

    assert ("said", 5) == (said.text, said.tokens)
    assert trio.current_time() - began <= 1.2
    assert refused.value.retry_after_s


async def test_a_fault_comes_as_it_is():
    with pytest.raises(ProviderBusyError):
        await OwnQuestions(Gateway(fault=ProviderBusyError("busy"))).ask(ASKED)
