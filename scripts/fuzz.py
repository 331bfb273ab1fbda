#!/usr/bin/env -S .venv/bin/python
"""Sends the daemon what no client should, in bounded time: it must live, answer, and hold no more memory than before.

`python scripts/fuzz.py [--frames N] [--seed N] [--report FILE]`. Exit codes: 0 it held, 1 it did not, 130 interrupted.
The daemon's memory is told after the warm-up and ten times more. Its bounded tables (latencies, sessions that have ended, lines of the log) fill during the first
tens of thousands of frames; from then on it must stay level.
"""

import argparse
import json
import random
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import trio
from chaos.caller import LOST, Caller
from chaos.children import resident
from chaos.endings import ends_cleanly
from chaos.frames import raw_frame, text_frame, upgrade
from chaos.world import open_world
from trio_websocket import open_websocket

_EACH = 200  # frames of one connection
_LANES = 4
_RAW_SHARE = 0.02  # of all frames are bytes of the WebSocket level, on a connection each
_STEPS = 10  # in which memory is told
_SILENCE_S = 20.0  # a daemon that is silent for so long hangs
_WARM_UP = 40_000  # frames at most until memory is first told
_MOST_GROWTH_MIB = 5.0


@attrs.define
class Tally:
    """What was sent and heard. `left` is how many frames are still to be sent; `memory` the daemon's MiB after so many."""

    left: int
    chance: random.Random
    sent: int = 0
    raw: int = 0
    answered: int = 0
    closed: int = 0
    hung: int = 0
    memory: list[tuple[int, float]] = attrs.field(factory=list[tuple[int, float]])
    facts: dict[str, Any] = attrs.field(factory=dict)

    def take(self, most: int) -> int:
        count = min(most, self.left)
        self.left -= count
        return count


async def fuzz(tally: Tally) -> None:
    """Frames to warm up, then all that were asked for; then whether the daemon is still itself."""
    quiet = {"EXAI_WS_HELLO_TIMEOUT": "2", "EXAI_SESSION_GRACE_S": "0.2", "LOG_LEVEL": "ERROR"}
    async with open_world(**quiet) as world:
        daemon = await world.daemon()
        wanted, tally.left = tally.left, min(tally.left, _WARM_UP)
        await _lanes(tally, world.port)
        _weigh(tally, daemon.pid)
        for step in range(_STEPS):
            tally.left = wanted * (step + 1) // _STEPS - wanted * step // _STEPS
            await _lanes(tally, world.port)
            _weigh(tally, daemon.pid)
        busy = await world.idle()
        tally.facts = {
            "alive": daemon.runs,
            "at_rest": not busy,
            "answers": await _answers(world.port),
            "grew_mib": round(tally.memory[-1][1] - tally.memory[0][1], 2),
            "grew_in_last_half_mib": round(tally.memory[-1][1] - tally.memory[_STEPS // 2][1], 2),
        }


def _weigh(tally: Tally, pid: int) -> None:
    tally.memory.append((tally.sent, round(resident(pid) / 2**20, 2)))
    print("{:>9} frames, {:>7.2f} MiB".format(*tally.memory[-1]), file=sys.stderr, flush=True)


async def _lanes(tally: Tally, port: int) -> None:
    async with trio.open_nursery() as lanes:
        for _ in range(_LANES):
            lanes.start_soon(_lane, tally, port)


async def _lane(tally: Tally, port: int) -> None:
    while count := tally.take(_EACH):
        raw = sum(tally.chance.random() < _RAW_SHARE for _ in range(count))
        await _talk(tally, port, count - raw)
        for _ in range(raw):
            await _poke(tally, port)


async def _talk(tally: Tally, port: int, count: int) -> None:
    """One connection's worth of damaged messages; a ping at its end must be answered unless the daemon has closed."""
    with trio.move_on_after(_SILENCE_S) as patience:  # noqa: ASYNC912  # connecting waits
        try:
            async with open_websocket("127.0.0.1", port, "/", use_ssl=False) as socket:
                await socket.send_message('{"op": "hello", "protocol": 2}')
                await socket.get_message()
                async with trio.open_nursery() as both:
                    both.start_soon(_say, tally, socket, count)
                    while '"fuzzed"' not in str(await socket.get_message()):
                        tally.answered += 1
        except* LOST:
            tally.closed += 1
    tally.hung += patience.cancelled_caught


async def _say(tally: Tally, socket: Any, count: int) -> None:
    for _ in range(count):
        tally.sent += 1
        await socket.send_message(text_frame(tally.chance))
    await socket.send_message('{"op": "ping", "request_id": "fuzzed"}')


async def _poke(tally: Tally, port: int) -> None:
    """Bytes after, or instead of, a handshake; then the end. The daemon must let go of us."""
    tally.sent += 1
    tally.raw += 1
    with trio.move_on_after(_SILENCE_S) as patience:  # noqa: ASYNC912  # connecting waits
        try:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(upgrade(tally.chance))
                await stream.send_all(raw_frame(tally.chance))
                await stream.send_eof()
                while await stream.receive_some(65_536):
                    pass
        except (OSError, trio.BrokenResourceError):
            tally.closed += 1
    tally.hung += patience.cancelled_caught


async def _answers(port: int) -> bool:
    caller = Caller()
    async with caller.connected(port):
        await caller.call("after", "test_echo", prompt="still here")
        found = await caller.outcome("after")
    return bool(found and found["ok"])


def main() -> int:
    asked = _arguments()
    ends_cleanly()
    tally = Tally(asked.frames, random.Random(asked.seed))  # noqa: S311  # damage, no secrets
    began, interrupted = time.perf_counter(), False
    try:
        trio.run(fuzz, tally)
    except* KeyboardInterrupt:
        interrupted = True
    took = time.perf_counter() - began
    kept = attrs.asdict(tally, filter=lambda field, _: field.name not in {"left", "chance"})
    facts = {"seed": asked.seed, "seconds": round(took, 1), **kept}
    print(json.dumps(facts))
    if asked.report is not None:
        asked.report.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    if interrupted:
        print("interrupted", file=sys.stderr)
        return 130
    broken = _broken(tally)
    print("\n".join(broken) or "held", file=sys.stderr)
    return 1 if broken else 0


def _broken(tally: Tally) -> list[str]:
    facts = tally.facts
    found = [f"not {name}" for name in ("alive", "at_rest", "answers") if not facts[name]]
    if facts["grew_mib"] > _MOST_GROWTH_MIB:
        found.append(f"memory grew by {facts['grew_mib']} MiB")
    if tally.hung:
        found.append(f"{tally.hung} connections hung")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--report", type=Path, metavar="FILE", help="the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
