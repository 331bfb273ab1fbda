"""A client of a terminal that reads and acknowledges until its stdin ends, a process of its own: `terminal_reader.py PORT SESSION`, and TOKEN in its environment."""

import os
import sys

import trio

from exai_trio.transport.websocket import Limits, PeerGone, connect
from exai_trio.wire.terminal_messages import said


async def main(port: int, session_id: str) -> None:
    async with connect("127.0.0.1", port, Limits(), "/terminal") as socket:
        greeting = {"session_id": session_id, "client_id": f"reader{os.getpid()}"}
        await socket.send(said("hello", token=os.environ["TOKEN"], **greeting))
        await socket.receive()
        print("reads", flush=True)
        try:
            while True:
                frame = await socket.receive()
                if isinstance(frame, bytes):
                    shown = int.from_bytes(frame[:8], "big") + len(frame) - 8
                    await socket.send(said("ack", data={"offset": shown}))
        except PeerGone:
            return


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2])
