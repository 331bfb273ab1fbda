"""The floor of the daemon: echoes the prompt of every call over trio-websocket, one message each way. Prints its port."""

import json
from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, WebSocketServer, serve_websocket


async def converse(request: WebSocketRequest) -> None:
    socket = await request.accept()
    try:
        while True:
            call = json.loads(await socket.get_message())
            output = {"type": "text", "text": call["arguments"]["prompt"]}
            answer = {"op": "call_tool_res", "request_id": call["request_id"], "outputs": [output]}
            await socket.send_message(json.dumps(answer))
    except ConnectionClosed:
        return


async def main() -> None:
    serving = partial(serve_websocket, receive_buffer_size=65_536)
    async with trio.open_nursery() as listening:
        server: WebSocketServer = await listening.start(serving, converse, "127.0.0.1", 0, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
