"""Answers that a deadline cuts: what came of them is an answer too, and says so."""

from contextlib import aclosing, asynccontextmanager

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import ProviderNetworkError, ProviderTimeoutError
from exai_trio.providers.base import (
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.endpoint import built_in
from exai_trio.providers.gateway import Gateway

KEYS = attrs.evolve(Config(), glm_api_key="k")
DONE = (UsageDelta(Usage(input_tokens=9, output_tokens=9)), Finish(reason="stop", model="glm-4.6"))
TALK = [piece for number in range(600) for piece in (TextDelta(f"{number} "), 1.0)]
IDLE = ProviderTimeoutError("GLM: the answer paused", details={"limit": "idle"})


@attrs.define
class Playing:
    """A provider that plays one script for each request: deltas, errors to raise, seconds to wait."""

    scripts: list

    @asynccontextmanager
    async def chat(self, _request):
        async with aclosing(self.play(self.scripts.pop(0))) as deltas:
            yield deltas

    async def play(self, script):
        for step in script:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await trio.sleep(step)
            else:
                yield step


@pytest.fixture
def asked(question, hearing):
    """Ask GLM, which plays the scripts; the answer, and the seconds that it took."""

    async def ask(*scripts, allows_s=None):
        gateway = Gateway(
            config=KEYS,
            endpoints=built_in(KEYS, None),
            catalogue=load_catalogue(),
            connect=lambda *_: Playing(list(scripts)),
        )
        began = hearing.since = trio.current_time()
        if allows_s is not None:
            hearing.allows_s = allows_s
        answer = await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)
        return answer, trio.current_time() - began

    return ask


async def test_the_streams_limit_leaves_what_came(asked, autojump_clock):
    """The text until then, the setting's name in the notice, no cost that nobody counted."""
    answer, took = await asked(TALK)

    assert (300, 300) == (pytest.approx(took), len(answer.text.split()))
    assert "(GLM_STREAM_TIMEOUT)" in answer.cut
    assert answer.cut in answer.notice
    assert (None, 0) == (answer.cost, answer.usage.output_tokens)


async def test_the_clients_limit_leaves_what_came(asked, autojump_clock):
    """Earlier than the stream's: then that cuts."""
    answer, took = await asked(TALK, allows_s=7.5)

    assert (7.5, 8) == (pytest.approx(took), len(answer.text.split()))
    assert "the client gave" in answer.cut


async def test_a_pause_that_is_too_long_leaves_what_came(asked, autojump_clock):
    """The provider's own limits, once text has come, are no loss of it."""
    answer, _ = await asked([TextDelta("half"), IDLE])

    assert ("half", "GLM: the answer paused") == (answer.text, answer.cut)


async def test_thinking_alone_is_no_answer(asked, autojump_clock):
    """Nobody can read it: that is TIMEOUT, asked once."""
    thinking = [piece for _ in range(600) for piece in (ReasoningDelta("hm"), 1.0)]
    with pytest.raises(ProviderTimeoutError) as caught:
        await asked(thinking)

    assert ("stream", 300) == (caught.value.details["limit"], pytest.approx(trio.current_time()))


async def test_half_a_tool_call_is_none(asked, autojump_clock):
    """Its arguments may end anywhere."""
    script = [TextDelta("so"), ToolCallDelta(index=0, id="a", name="f", arguments='{"x'), 400.0]
    answer, _ = await asked(script)

    assert ("so", ()) == (answer.text, answer.tool_calls)


async def test_a_stream_that_breaks_off_is_a_fault_still(asked, autojump_clock):
    """Only deadlines cut: of a broken answer the user hears that it broke."""
    with pytest.raises(ProviderNetworkError):
        await asked([TextDelta("half"), ProviderNetworkError("gone")])


async def test_a_second_attempt_begins_from_nothing(asked, autojump_clock):
    """What an attempt thought before it failed is not part of the next one's answer."""
    answer, _ = await asked(
        [ReasoningDelta("old"), ProviderNetworkError("gone")], [TextDelta("new"), *DONE]
    )

    assert ("new", "", "") == (answer.text, answer.reasoning, answer.cut)
