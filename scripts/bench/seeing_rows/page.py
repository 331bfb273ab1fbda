"""A real browser before the page of calls, while 10,000 calls a minute end: how busy it is, what it keeps, how soon it shows a call."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any, Final

import attrs
import trio

from ..pairs import Daemon, our_daemon
from ..peer import run
from ..processes import PATIENCE_S, free_port
from ..raw import Raw, frame, raw
from ..report import Goal, Row, percentile
from .browser import chromium
from .calls import paced

_A_MINUTE: Final = 10_000 / 60
_RUNNING: Final = "() => document.body.innerText.includes('Running: 1')"
_ENDED: Final = "() => document.body.innerText.includes('Running: 0')"
MIB: Final = 2**20


def page(*, quick: bool) -> Iterator[Row]:
    """The first quarter does not count: the lists fill."""
    seconds, calls = (20, 3) if quick else (600, 100)
    port = free_port()
    with our_daemon(EXAI_SIMULATE="true", ENABLED_TOOLS="test_echo", LOG_LEVEL="WARNING", MONITORING_PORT=port) as daemon, _browser(f"http://127.0.0.1:{port}/calls") as seen:  # fmt: skip
        loading = threading.Thread(target=paced, args=(daemon.port, seconds * 1.5, _A_MINUTE))
        loading.start()
        seen.page.wait_for_timeout(seconds * 250)
        first, began = seen.figures(), time.perf_counter()
        seen.page.wait_for_timeout(seconds * 1000)
        last, whole = seen.figures(), time.perf_counter() - began
        seen.page.goto(f"http://127.0.0.1:{port}/calls?tool=chat")
        visible = [_shown_s(daemon, seen) for _ in range(calls)]
        loading.join()
    yield Row(what="page at 10,000 calls a minute: main thread busy", unit="%", ours=100 * (last["TaskDuration"] - first["TaskDuration"]) / whole, goal=Goal("at most", 25))  # fmt: skip
    yield Row(what=f"  heap grows in {whole:.0f} s by", unit="MiB", ours=(last["JSHeapUsedSize"] - first["JSHeapUsedSize"]) / MIB, goal=Goal("at most", 1))  # fmt: skip
    yield Row(what=f"  a call's begin to its row, p99 of {calls}", unit="s", ours=percentile(visible, 99), goal=Goal("at most", 1.5))  # fmt: skip


@attrs.frozen
class _Seen:
    page: Any
    tools: Any

    def figures(self) -> dict[str, float]:
        """Of the main thread and the heap, once what is garbage has gone."""
        self.tools.send("HeapProfiler.collectGarbage")
        told = self.tools.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in told}


@contextmanager
def _browser(address: str) -> Generator[_Seen]:
    with chromium() as browser:
        page = browser.new_context().new_page()
        page.goto(address)
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        yield _Seen(page, tools)


def _shown_s(daemon: Daemon, seen: _Seen) -> float:
    """From the moment in which a call that hangs is accepted until its row is there; then it is cancelled."""
    accepted, over = Queue[float](), threading.Event()
    calling = threading.Thread(target=run, args=(_hang, daemon.port, accepted, over))
    calling.start()
    try:
        began = accepted.get(timeout=PATIENCE_S)
        seen.page.wait_for_function(_RUNNING)
        return time.perf_counter() - began
    finally:
        over.set()
        calling.join()
        seen.page.wait_for_function(_ENDED)


async def _hang(port: int, accepted: "Queue[float]", over: threading.Event) -> None:
    async with raw(port) as client:
        asked = {"prompt": "[[simulate: hang]]"}
        await client.say([frame("call_tool", request_id="r", name="chat", arguments=asked)])
        await _heard(client, b'"call_tool_ack"')
        accepted.put(time.perf_counter())
        await trio.to_thread.run_sync(over.wait)
        await client.say([frame("cancel", request_id="r")])
        await _heard(client, b'"call_tool_res"')


async def _heard(client: Raw, op: bytes) -> None:
    while not any(op in text for _, text in await client.hear()):
        pass
