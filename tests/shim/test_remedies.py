"""What somebody is told to do who waits for a daemon that is not there."""

import pytest
import trio

from exai_trio.config import Config
from exai_trio.shim.remedies import remedy
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable


def text_of(answer):
    return answer["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("fault", "starts", "words"),
    [
        (NotListening("nothing listens"), False, "EXAI_WS_AUTOSTART"),
        (NotListening("nothing listens"), True, "`exai serve`"),
        (Unreachable("refuses the WebSocket"), True, "EXAI_WS_PORT"),
        (PeerGone(reason="gone"), False, "`exai doctor`"),
        (trio.TooSlowError(), False, "`exai doctor`"),
    ],
)
def test_every_trouble_has_a_remedy(fault, starts, words):
    """A command or a setting; of another machine that it is to be looked at there."""
    here, there = Config(), Config(ws_host="192.0.2.7")

    assert words in remedy(fault, here, starts=starts)
    assert "192.0.2.7" in remedy(fault, there, starts=starts)


@pytest.mark.parametrize("unreachable", [NotListening, Unreachable])
async def test_progress_says_what_to_do(make_world, autojump_clock, unreachable):
    """While a call waits, and in its answer."""
    async with make_world(up=False, unreachable=unreachable) as world:
        world.call(1, token="p")
        await trio.sleep(20)
        told = [params["message"] for params in world.lines.progress()]
        await trio.sleep(41)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)
    word = "`exai serve`" if unreachable is NotListening else "EXAI_WS_PORT"

    assert told
    assert all(word in text for text in told)
    assert word in text_of(answer)
    assert "did not run" in text_of(answer)
