"""The main job: an editor asks, a model answers, through shim and daemon."""

import json
from functools import partial
from pathlib import Path

import jsonschema
import pytest
import trio

pytestmark = pytest.mark.real

REPOSITORY = Path(__file__).resolve().parents[3]
FILE = REPOSITORY / "exai_trio" / "errors.py"
ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28")]


@pytest.fixture(params=ERAS, ids=["initialize", "discover"])
def era(request):
    return request.param


async def test_an_editor_asks_about_a_file(daemon, editor, era):
    """Tools are listed, progress rises until the answer, the answer shows the file, fits its schema, and can be gone on with."""
    mode, version = era
    since = await daemon.last_request()
    async with editor(daemon.place, mode) as one:
        assert version == one.client.session.protocol_version
        tools = {tool.name: tool for tool in (await one.client.list_tools()).tools}
        question = "Which error is retryable? [[simulate: tokens=12 drip=0.03]]"
        first = await one.call("chat", heard_progress, prompt=question, files=[str(FILE)])
        wire = list(one.heard)
        told = first.structured_content
        goes_on = told["continuation_offer"]["continuation_id"]
        second = await one.call("chat", prompt="And which is not?", continuation_id=goes_on)
    asked = [request["body"]["messages"] for request in await daemon.requests(since)]

    assert not first.is_error
    jsonschema.validate(told, tools["chat"].output_schema)
    assert told == json.loads(first.content[0].text)
    assert {"simulated", "provider_used", "model_used"} <= told["metadata"].keys()
    assert told["usage"]["input_tokens"] > len(FILE.read_text(encoding="utf-8")) / 5
    _check_progress(wire)
    assert "And which is not?" in second.structured_content["content"]
    assert [["system", "user"], ["system", "user", "assistant", "user"]] == [
        [message["role"] for message in messages] for messages in asked
    ]
    assert "class ExaiError" in asked[0][1]["content"]
    assert asked[0] == asked[1][:2]


async def heard_progress(_progress, _total, _message):
    """A callback is what makes the client send a token."""


def _check_progress(wire):
    """Several notifications of one token, rising, and the answer after all of them."""
    values = [one.params["progress"] for one in wire if hasattr(one, "method") and one.method.endswith("/progress")]  # fmt: skip
    assert len(values) >= 2
    assert sorted(set(values)) == values
    assert not hasattr(wire[-1], "method")
    assert "progress" not in str(wire[-1])[:40]


async def test_the_answer_shows_what_was_asked(daemon, editor):
    """What the model echoes is the user's text, from the model that was named."""
    async with editor(daemon.place) as one:
        answer = await one.call("chat", prompt="how many angels", model="kimi-k3")

    assert "how many angels" in answer.structured_content["content"]
    assert "kimi-k3" == answer.structured_content["metadata"]["model_used"]


async def test_a_failed_call_is_a_result(daemon, editor, era):
    """Where the protocol is not at fault, the model reads what went wrong: a path outside the roots, an unknown model."""
    async with editor(daemon.place, era[0]) as one:
        outside = await one.call("chat", prompt="x", files=["/etc/hostname"])
        unknown = await one.call("chat", prompt="x", model="glm45-flash")

    assert outside.is_error
    assert "EXAI_ALLOWED_ROOTS" in outside.content[0].text
    assert unknown.is_error
    assert "glm-4.5-flash" in unknown.content[0].text


@pytest.mark.parametrize("how", ["hang", "tokens=500 drip=0.05"])
async def test_a_cancel_reaches_the_provider(daemon, editor, era, until, how):
    """The provider's connection is closed, permits are free, the request is never answered, and the shim goes on."""
    since = await daemon.last_request()
    async with editor(daemon.place, era[0]) as one:
        await one.client.list_tools()  # or the client asks for it when the first answer comes
        answered = one.answered()
        async with trio.open_nursery() as calls:
            calls.start_soon(partial(one.call, "chat", prompt=f"[[simulate: {how}]]"))
            await until(partial(daemon.requests, since))
            calls.cancel_scope.cancel()
        await until(lambda: _ended(daemon, since))
        await until(daemon.idle)
        echo = await one.call("test_echo", prompt="still here")
        later = one.answered()[len(answered) :]
    (asked,) = await daemon.requests(since)

    assert (asked["disconnected"], asked["complete"]) == (True, False)
    assert "still here" == echo.structured_content["content"]
    assert 1 == len(later)


async def _ended(daemon, since):
    return all(request["ended_at"] is not None for request in await daemon.requests(since))


async def test_calls_of_one_editor_run_side_by_side(daemon, editor):
    """A hanging model call does not hold up another."""
    async with editor(daemon.place) as one, trio.open_nursery() as calls:
        calls.start_soon(partial(one.call, "chat", prompt="[[simulate: hang]]"))
        answers = [await one.call("test_echo", prompt=f"n{number}") for number in range(3)]
        calls.cancel_scope.cancel()

    assert ["n0", "n1", "n2"] == [answer.structured_content["content"] for answer in answers]
