"""`exai top`: the overview and the running calls in a terminal, each second, from the feed of the pages."""

import json
from typing import Any

import msgspec
import trio

from exai_trio.commands.console import Console, columns, harmless
from exai_trio.commands.invocation import Started
from exai_trio.commands.terminal.text_width import cut
from exai_trio.commands.watching.pages_client import asked_of_pages, check_pages, shown_by
from exai_trio.config import Config
from exai_trio.transport.websocket import Limits, PeerGone, connect

_HOME_AND_CLEAR = "\x1b[H\x1b[J"
_DASH = "-"


def main(started: Started) -> int:
    console, config = Console.of_process(started.environ), started.loaded.config
    asked = started.arguments
    if asked.once or asked.json or not console.screen:
        overview = trio.run(asked_of_pages, config, "/api/overview")
        console.say(json.dumps(overview, ensure_ascii=False) if asked.json else screen(overview))
        return 0
    return trio.run(run, config, console)


async def run(config: Config, console: Console) -> int:
    """Draws until the daemon goes: then 1. Raises Unreachable or ExaiError. Cancelling leaves the last picture."""
    check_pages(config)
    token = await shown_by(config)
    try:
        async with connect(config.client_host, config.monitoring_port, Limits(), "/ws") as socket:
            if token:
                await socket.send(json.dumps({"command": "auth", "token": token}))
            await socket.send(json.dumps({"command": "subscribe", "topics": ["overview"]}))
            while True:
                frame = msgspec.json.decode(await socket.receive(), type=dict[str, Any])
                if frame.get("type") == "overview":
                    _draw(console, frame["data"])
    except PeerGone:
        console.note("exai: the daemon has gone")
        return 1


def _draw(console: Console, overview: dict[str, Any]) -> None:
    lines = [cut(line, console.columns()) for line in screen(overview).splitlines()]
    console.draw(_HOME_AND_CLEAR + "\n".join(lines) + "\n")


def screen(overview: dict[str, Any]) -> str:
    """The overview as lines of harmless text."""
    meters, permits = overview["meters"], overview["permits"]["global"]
    spread = meters["duration_ms"]
    head = f"EXAI {overview['version']}  {overview['status']}  up {overview['uptime_human']}"
    rows = [
        ("calls/s", _figure(meters["calls_per_s"]), "running", str(len(overview["running"]))),
        (
            "p50, p95, p99",
            ", ".join(_ms(spread[name]) for name in ("p50", "p95", "p99")),
            "failed",
            f"{_figure(meters['failures'])} of {_figure(meters['ended'])}",
        ),
        (
            "permits",
            f"{permits['inflight']} of {permits['expected']}",
            "waiting",
            str(permits["waiting"]),
        ),
        (
            "sessions",
            _figure(overview["sessions"]),
            "connections",
            _figure(overview["connections"]),
        ),
        ("memory", _mib(meters["memory_bytes"]), "cpu", _percent(meters["cpu"])),
    ]
    calls = [
        (row["tool"], row["stage"], f"{row['age_s']:.1f} s", row["provider"] or _DASH)
        for row in overview["running"]
    ]
    parts = [
        head,
        *(f"! {text}" for text in overview["troubles"]),
        "",
        columns(rows),
        "",
        columns([("TOOL", "STAGE", "AGE", "PROVIDER"), *calls]) if calls else "nothing runs",
    ]
    return "\n".join(harmless(part) for part in parts)


def _figure(value: float | None) -> str:
    return _DASH if value is None else f"{value:g}"


def _ms(value: float | None) -> str:
    return _DASH if value is None else f"{value:.0f} ms"


def _mib(value: float | None) -> str:
    return _DASH if value is None else f"{value / 2**20:.1f} MiB"


def _percent(value: float | None) -> str:
    return _DASH if value is None else f"{100 * value:.1f} %"
