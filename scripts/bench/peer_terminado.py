"""terminado, measured as a peer: a program of its own, since it brings another event loop; runs where terminado is installed.

`PYTHON peer_terminado.py FILE` prints the seconds in which a client that reads is sent that file by `cat`, over a WebSocket.
"""

import asyncio
import json
import sys
import time

import terminado
import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket


async def main(file):
    manager = terminado.UniqueTermManager(shell_command=["/bin/sh"])
    app = tornado.web.Application([("/ws", terminado.TermSocket, {"term_manager": manager})])
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    client = await tornado.websocket.websocket_connect(
        f"ws://127.0.0.1:{port}/ws", max_message_size=2**28
    )
    await client.write_message(
        json.dumps(["stdin", f"stty raw -echo; cat {file}; echo over''over\r"])
    )
    began, tail = time.perf_counter(), ""
    while "overover" not in tail:
        kind, *said = json.loads(await client.read_message())
        if kind == "stdout":
            tail = (tail + said[0])[-40:]
    print(time.perf_counter() - began, flush=True)
    client.close()
    await manager.shutdown()


asyncio.run(main(sys.argv[1]))
