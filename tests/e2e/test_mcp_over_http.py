"""The official client over real HTTP, in both eras, on trio; and a daemon that is killed under a stream."""

import json
import signal

import pytest
import trio
from free_ports import free_ports
from mcp import Client

pytestmark = [
    pytest.mark.real,
    # The client leaves generators to the garbage collector, which trio says.
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def port():
    return free_ports(1)[0]


@pytest.fixture
def site(start, new_place, port):
    """A daemon with the endpoint, and the settings to start another in its place."""
    place = new_place(
        simulate=True,
        ENABLED_TOOLS="test_echo",
        EXAI_MCP_PORT=str(port),
        EXAI_PROGRESS_INTERVAL_S="0.1",
    )
    return place, start(place)


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_the_official_client(site, port, mode):
    """Tools, a call, a call with progress, in the era that was asked for or found."""
    heard = []

    async def note(progress, _total, _message):
        heard.append(progress)

    async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
        tools = await client.list_tools()
        short = await client.call_tool("test_echo", {"prompt": "short"})
        long = await client.call_tool(
            "test_echo", {"prompt": "long", "delay_ms": 2500}, progress_callback=note
        )

    assert "chat" in {tool.name for tool in tools.tools}
    assert ["short", "long"] == [_said(short), _said(long)]
    assert sorted(heard) == heard
    assert heard


async def test_a_call_outlives_its_daemon(site, port, start):
    """kill -9 under an open stream: the client goes on at the next daemon, and is answered once."""
    place, daemon = site
    answers, told = [], trio.Event()

    async def note(_progress, _total, _message):
        told.set()

    async with Client(f"http://127.0.0.1:{port}/mcp", mode="legacy") as client:

        async def call():
            asked = {"prompt": "lives", "delay_ms": 3000}
            answers.append(await client.call_tool("test_echo", asked, progress_callback=note))

        with trio.fail_after(60):
            async with trio.open_nursery() as calling:
                calling.start_soon(call)
                await told.wait()
                daemon.signal(signal.SIGKILL)
                await daemon.wait()
                start(place)

    assert ["lives"] == [_said(answer) for answer in answers]


def _said(result):
    return json.loads(result.content[0].text)["content"]
