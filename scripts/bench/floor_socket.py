"""The floor of a terminal's line: every message is sent back over trio-websocket, by a process of its own. Prints its port."""

from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, WebSocketServer, serve_websocket


async def converse(request: WebSocketRequest) -> None:
    socket = await request.accept()
    try:
        while True:
            await socket.send_message(await socket.get_message())
    except ConnectionClosed:
        return


async def main() -> None:
    serving = partial(serve_websocket, receive_buffer_size=65_536)
    async with trio.open_nursery() as listening:
        server: WebSocketServer = await listening.start(serving, converse, "127.0.0.1", 0, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
