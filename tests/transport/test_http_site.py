"""HTTP takes few connections, and none for long."""

import socket
from contextlib import AsyncExitStack

import trio

from exai_trio.transport.http import HttpSite


async def test_a_connection_too_many_is_closed_at_once():
    """The ones that are there stay; when one of them goes there is room again."""
    async with AsyncExitStack() as streams, trio.open_nursery() as serving:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        site = HttpSite(_hello, most=2)
        await serving.start(site.serve, listeners)
        first, second, third = [await _connected(listeners, streams) for _ in range(3)]
        with trio.fail_after(10):
            refused = await third.receive_some()
            kept = await _asked(first)
            await second.aclose()
            while len(site.open) > 1:
                await trio.lowlevel.checkpoint()
            again = await _asked(await _connected(listeners, streams))
        serving.cancel_scope.cancel()

    assert (b"", b"HTTP/1.1 204", b"HTTP/1.1 204") == (refused, kept[:12], again[:12])


async def test_a_connection_that_asks_nothing_is_closed(autojump_clock):
    """After the seconds that it is given."""
    ours, theirs = socket.socketpair()
    site = HttpSite(_hello, idle_s=10.0)
    with trio.fail_after(60):
        await site._connection(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
    ours.close()

    assert 10 == round(trio.current_time())
    assert set() == site.open


async def _connected(listeners, streams):
    port = listeners[0].socket.getsockname()[1]
    return await streams.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))


async def _asked(stream):
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await stream.receive_some()


async def _hello(scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
