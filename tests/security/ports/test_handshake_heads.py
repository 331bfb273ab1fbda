"""The head of a WebSocket handshake: how long it may take, and how a client of this machine finds a daemon on all addresses."""

from contextlib import suppress
from pathlib import Path

import trio
from trio.testing import memory_stream_pair

from exai_trio.config import Config
from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import Hello


async def test_a_head_that_drips_loses_its_place_after_five_seconds(house, autojump_clock):
    """However long a hello may take."""
    async with house(ws_hello_timeout=60.0) as daemon:
        ours, theirs = memory_stream_pair()
        began = trio.current_time()
        daemon.connections.start_soon(daemon.server.serve, theirs)
        await trio.testing.wait_all_tasks_blocked()
        taken = daemon.server.admission.total
        with suppress(trio.BrokenResourceError):
            await ours.send_all(b"GET / HTTP/1.1\r\nX: ")
            while daemon.server.admission.total:
                await ours.send_all(b"x")
                await trio.sleep(0.5)
        took = trio.current_time() - began

    assert 1 == taken
    assert 5 <= took <= 6


async def test_a_client_of_this_machine_finds_a_daemon_on_all_addresses(listening):
    """EXAI_WS_HOST=0.0.0.0 is an address to listen on; commands and the shim, which read it too, connect to loopback."""
    config = Config(home=Path("/nowhere"), ws_host="0.0.0.0", ws_token="16 letters of ours")  # noqa: S104 - for the test
    async with (
        listening("websocket", config) as door,
        connect(config.client_host, door.port, Limits()) as socket,
    ):
        await socket.send(encode(Hello(token="16 letters of ours")))
        greeted = decode_daemon(await socket.receive()).message

    assert "127.0.0.1" == config.client_host
    assert greeted.ok
