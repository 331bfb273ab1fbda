"""The floor of the shim: JSON-RPC lines on stdio, one trio-websocket message per call each way, nothing else.

`python floor_shim.py PORT`. It keeps no rules: no errors, no cancelling, no reconnecting; stdin's end ends it.
"""

import json
import os
import sys
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket

SCHEMA = {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
TOOLS = [{"name": "test_echo", "description": "Gives the prompt back", "inputSchema": SCHEMA}]
CAPABILITIES = {"tools": {"listChanged": True}}
SERVER = {"name": "floor", "version": "1"}


class Shim:
    """What the two readers share: calls wait in `open` under their ids until the answer comes."""

    def __init__(self) -> None:
        self.out = trio.lowlevel.FdStream(os.dup(1))
        self.writing = trio.Lock()
        self.connected = trio.Event()
        self.socket: WebSocketConnection
        self.open: set[int | str] = set()

    async def answer(self, request_id: int | str, result: dict[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})
        async with self.writing:
            await self.out.send_all(line.encode() + b"\n")

    async def connect(self, port: int) -> None:
        """Hold the connection, and hand every answer to the call with its id."""
        connecting = open_websocket(
            "127.0.0.1", port, "/", use_ssl=False, receive_buffer_size=65_536
        )
        async with connecting as socket:
            self.socket = socket
            self.connected.set()
            while True:
                said = json.loads(await socket.get_message())
                self.open.remove(said["request_id"])
                await self.answer(said["request_id"], {"content": said["outputs"]})

    async def read(self) -> None:
        rest = b""
        async for piece in trio.lowlevel.FdStream(os.dup(0)):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                await self.hear(json.loads(line))

    async def hear(self, said: dict[str, Any]) -> None:
        match said["method"]:
            case "initialize":
                version = said["params"]["protocolVersion"]
                facts = {"capabilities": CAPABILITIES, "serverInfo": SERVER}
                await self.answer(said["id"], {"protocolVersion": version, **facts})
            case "tools/list":
                await self.answer(said["id"], {"tools": TOOLS})
            case "tools/call":
                await self.connected.wait()
                self.open.add(said["id"])
                call = {"op": "call_tool", "request_id": said["id"], **said["params"]}
                await self.socket.send_message(json.dumps(call))
            case _:  # a notification
                pass


async def main(port: int) -> None:
    shim = Shim()
    async with trio.open_nursery() as legs:
        legs.start_soon(shim.connect, port)
        await shim.read()
        legs.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
