"""A daemon is killed while it runs a call: the editor hears one answer, and the provider is not asked without end."""

import signal
from functools import partial

import pytest
import trio

pytestmark = pytest.mark.real

IMPATIENT = {"EXAI_RECONNECT_MAX_S": "0.3", "EXAI_PROGRESS_INTERVAL_S": "0.1"}


@pytest.fixture
def place(daemon, new_place):
    """A home whose daemons ask the shared simulator."""
    glm = f"http://127.0.0.1:{daemon.simulator}/glm/api/paas/v4"
    return new_place(GLM_API_URL=glm, GLM_API_KEY="some.key")


async def test_a_call_over_a_kill_is_answered_once(daemon, place, start, editor, until):
    """The new daemon takes the call up by itself, under the same idempotency key; the editor's request has one answer."""
    first = start(place)
    since = await daemon.last_request()
    async with editor(place, **IMPATIENT) as one:
        await one.client.list_tools()
        answered = one.answered()
        async with trio.open_nursery() as calls:
            calls.start_soon(_ask, one, "count the angels [[simulate: hang times=1]]", [])
            await until(partial(daemon.requests, since))
            await _killed(first)
            await trio.to_thread.run_sync(start, place)
        await one.call("test_echo", prompt="and on")
        later = one.answered()[len(answered) :]
    asked = await daemon.requests(since)

    assert len(later) == len(set(later))
    assert later
    assert [False, True] == [request["complete"] for request in asked]
    assert 1 == len({request["headers"]["idempotency-key"] for request in asked})
    assert 1 == place.logged("session restored")


async def test_a_call_that_was_killed_twice_is_given_up(daemon, place, start, editor, until):
    """After EXAI_CALL_MAX_ATTEMPTS runs the provider is left alone, and the editor hears that the call broke off."""
    texts: list[str] = []
    since = await daemon.last_request()
    running = start(place)
    async with editor(place, **IMPATIENT) as one, trio.open_nursery() as calls:
        calls.start_soon(_ask, one, "count the devils [[simulate: hang]]", texts)
        for runs in (1, 2):
            await until(partial(_asked, daemon, since, runs))
            await _killed(running)
            running = await trio.to_thread.run_sync(start, place)
    asked = await daemon.requests(since)

    assert "INTERRUPTED" in texts[0]
    assert 2 == len(asked)


async def _asked(daemon, since, runs):
    return len(await daemon.requests(since)) == runs


async def _ask(editor, prompt, texts):
    answer = await editor.call("chat", prompt=prompt)
    texts.append(str(answer))


async def _killed(daemon):
    daemon.signal(signal.SIGKILL)
    assert (-signal.SIGKILL, "") == await daemon.wait()
