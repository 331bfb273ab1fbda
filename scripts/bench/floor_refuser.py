"""The floor of a refusal: a bare trio-websocket server that lets nobody in, 20 ms after it was asked. Prints its port."""

import json
from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, WebSocketServer, serve_websocket

_REFUSED_AFTER_S = 0.02  # as the daemon does
_UNAUTHORIZED = 4003


async def refuse(request: WebSocketRequest) -> None:
    socket = await request.accept()
    try:
        json.loads(await socket.get_message())
        await trio.sleep(_REFUSED_AFTER_S)
        await socket.send_message(json.dumps({"op": "hello_ack", "ok": False}))
        await socket.aclose(_UNAUTHORIZED, "unauthorized")
    except ConnectionClosed:
        return


async def main() -> None:
    serving = partial(serve_websocket, receive_buffer_size=65_536)
    async with trio.open_nursery() as listening:
        server: WebSocketServer = await listening.start(serving, refuse, "127.0.0.1", 0, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
