"""Dashboards and a Prometheus, as far as a daemon notices: feeds that are read and a scrape a second. Run as a child until stdin ends."""

import json
import sys
from contextlib import closing
from http.client import HTTPConnection

import trio
from trio_websocket import open_websocket

_EACH_S = 1.0


async def main(port: int, feeds: int) -> None:
    async with trio.open_nursery() as watching:
        for _ in range(feeds):
            await watching.start(_follow, port)
        watching.start_soon(_scrape, port)
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        watching.cancel_scope.cancel(reason="all is measured")


async def _follow(port: int, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - hands task_status on
    async with open_websocket("127.0.0.1", port, "/ws", use_ssl=False) as feed:
        topics = ["overview", "event", "session_metrics", "semaphore_metrics", "websocket_health"]
        await feed.send_message(json.dumps({"command": "subscribe", "topics": topics}))
        task_status.started()
        while True:
            await feed.get_message()


async def _scrape(port: int) -> None:
    while True:
        await trio.to_thread.run_sync(_get, port)
        await trio.sleep(_EACH_S)


def _get(port: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/metrics")
        connection.getresponse().read()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]))
