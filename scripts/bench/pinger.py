"""A session of its own that pings until its stdin ends; then it prints how long the answers took, in ms: worst, p99, how many."""

import sys
import threading
import time

import trio

from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Hello, Ping

_GAP_S = 0.002


async def main(port):
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    took = []
    async with connect("127.0.0.1", port, Limits()) as socket:
        await socket.send(encode(Hello(protocol=2)))
        await socket.receive()
        print("ready", flush=True)
        while not over.is_set():
            began = time.perf_counter()
            await socket.send(encode(Ping()))
            await socket.receive()
            took.append((time.perf_counter() - began) * 1000)
            await trio.sleep(_GAP_S)
    took.sort()
    print(took[-1], took[int(len(took) * 0.99)], len(took), flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
