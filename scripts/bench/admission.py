"""What becomes of too many calls at once, of clients that never read, of large frames, and what the watchdog costs."""

import json
import math
import resource
import time
from collections.abc import Iterator
from typing import Any

import attrs
import trio

from exai_trio.observability.watchdog import Watchdog, watching

from .pairs import our_daemon
from .peer import run
from .processes import NotMeasured, weight
from .raw import Raw, frame, framed, raw
from .report import Goal, Row, median, percentile

_CONNECTIONS, _BURST, _ACCEPTED = 50, 100, 8  # of each connection
_DELAYS_MS = (100, 2_000)
_READERS, _DEAF = 500, 500
_DEAF_BYTES = 40_000
_SHARE = 0.3  # of what the machine can do, for the thousand together
_ASKING = 20  # clients that find out how much that is
_FILES = 4096
_LARGE = 9_000_000  # characters of a frame
_PONG_MS = 50  # that another client may wait meanwhile
_ANSWER_S = 10.0


@attrs.define
class Heard:
    """Seconds from the request to each answer, and the refusals as they came."""

    accepted: list[float] = attrs.field(factory=list[float])
    refused: list[float] = attrs.field(factory=list[float])
    wrong: int = 0

    def note(self, took: float, answer: dict[str, Any]) -> None:
        if answer["ok"]:
            self.accepted.append(took)
            return
        self.refused.append(took)
        error = answer["error"]
        self.wrong += error["code"] != "OVER_CAPACITY" or error.get("retry_after_s", 0) <= 0


def burst(*, quick: bool) -> Iterator[Row]:
    """5,000 calls at once over 50 connections, and as many as were accepted by themselves: calls that are nearly all our own
    time, and calls as long as a short answer of a model."""
    rounds = 2 if quick else 4
    for delay_ms in _DELAYS_MS:
        alone, among = Heard(), Heard()
        with our_daemon(ENABLED_TOOLS="test_echo", LOG_LEVEL="WARNING") as daemon:
            for _ in range(rounds):
                run(_burst, daemon.port, _ACCEPTED, delay_ms, alone)
                run(_burst, daemon.port, _BURST, delay_ms, among)
        yield from _burst_rows(f"{delay_ms / 1000:g} s", rounds, alone, among)


def _burst_rows(calls: str, rounds: int, alone: Heard, among: Heard) -> Iterator[Row]:
    expected = rounds * _CONNECTIONS * _ACCEPTED
    if len(alone.accepted) != expected:
        raise NotMeasured(f"{len(alone.accepted)} of {expected} calls were accepted alone")
    asked = rounds * _CONNECTIONS * _BURST
    yield _row(f"5,000 calls of {calls} at once: accepted", "", len(among.accepted) / rounds)
    yield _row("  refused", "", len(among.refused) / rounds)
    lost = asked - len(among.accepted) - len(among.refused)
    yield _row("  not answered once", "", lost, goal=Goal("at most", 0))
    yield _row("  refusals without OVER_CAPACITY and retry_after_s", "", among.wrong, goal=Goal("at most", 0))  # fmt: skip
    for percent in (50, 99):
        ours, floor = (percentile(one.accepted, percent) * 1000 for one in (among, alone))
        goal = Goal("at most", 1.5, of_floor=True)
        yield _row(f"  accepted calls p{percent} (floor: the same alone)", "ms", ours, floor, goal)
    for percent in (50, 99):
        yield _row(f"  refusal p{percent}", "ms", percentile(among.refused, percent) * 1000)


def _row(what: str, unit: str, ours: float, floor: float | None = None, goal: Goal | None = None) -> Row:  # fmt: skip
    return Row(what=what, unit=unit, ours=ours, floor=floor, goal=goal)


async def _burst(port: int, each: int, delay_ms: int, heard: Heard) -> None:
    everybody = trio.Event()
    ready = [0]
    async with trio.open_nursery() as clients:
        for number in range(_CONNECTIONS):
            calls = [_echo(f"{number}-{n}", "x" * 200, delay_ms=delay_ms) for n in range(each)]
            clients.start_soon(_burst_of_one, port, calls, heard, ready, everybody)


async def _burst_of_one(
    port: int, calls: list[bytes], heard: Heard, ready: list[int], everybody: trio.Event
) -> None:
    async with raw(port) as client:
        ready[0] += 1
        if ready[0] == _CONNECTIONS:
            everybody.set()
        await everybody.wait()
        await client.say(calls)
        left = len(calls)
        with trio.fail_after(60):  # noqa: ASYNC912  # it waits as long as answers are due
            while left:
                left -= _take(client, await client.hear(), heard)


def _echo(id_: str, text: str, **more: Any) -> bytes:
    arguments = {"prompt": text, **more}
    return frame("call_tool", request_id=id_, name="test_echo", arguments=arguments)


def _take(client: Raw, came: list[tuple[float, bytes]], heard: Heard) -> int:
    answers = [(at, json.loads(text)) for at, text in came if b'"call_tool_res"' in text]
    for at, answer in answers:
        heard.note(at - client.sent, answer)
    return len(answers)


@attrs.define
class Crowd:
    """A thousand clients that ask every so many seconds, half of them for much, which these never read if they are `deaf`; and
    what the other half saw."""

    every_s: float
    deaf: bool
    took: list[float] = attrs.field(factory=list[float])
    refused: int = 0
    cut: int = 0
    memory: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])


def slow(*, quick: bool) -> Iterator[Row]:
    """Half of a thousand clients never reads; the others' calls, beside the same when all read, and the daemon's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    room = {"MAX_CONNECTIONS": 2000, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "ERROR"}
    with our_daemon(**room) as daemon:
        rate = _SHARE * run(_most, daemon.port, 2.0 if quick else 5.0)
        every_s = max(1.0, (_READERS + _DEAF) / rate)
        seconds = max(10.0 if quick else 40.0, 6 * every_s)
        before, during = Crowd(every_s, deaf=False), Crowd(every_s, deaf=True)
        for crowd in (before, during):
            run(_crowd, daemon.port, daemon.process.pid, seconds, crowd)
    yield _row("1,000 clients: each asks every", "s", every_s)
    for percent in (50, 99):
        ours, floor = (percentile(one.took, percent) * 1000 for one in (during, before))
        goal = Goal("at most", 2, of_floor=True) if percent > 50 else None
        yield _row(f"500 of 1,000 never read: the others' p{percent} (floor: all read)", "ms", ours, floor, goal)  # fmt: skip
    yield _row("  calls of the others that were refused", "", during.refused, goal=Goal("at most", 0))  # fmt: skip
    yield _row("  connections cut", "", during.cut)
    yield _row("daemon: memory when all read, most", "MiB", max(m for _, m in before.memory))
    for first, last in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)):
        part = [m for at, m in during.memory if first * seconds <= at < last * seconds]
        yield _row(f"  when half does, {first * 100:.0f} to {last * 100:.0f} % of the time, most", "MiB", max(part))  # fmt: skip


async def _most(port: int, seconds: float) -> float:
    """Answers of 40 KB that the machine gives in a second, as fast as it can, to clients that read. Raises
    NotMeasured if there is none."""
    answers = [0]
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as clients:
            for _ in range(_ASKING):
                clients.start_soon(_ask_on, port, answers)
    if not answers[0]:
        raise NotMeasured(f"nothing was answered within {seconds:g} s")
    return answers[0] / seconds


async def _ask_on(port: int, answers: list[int]) -> None:
    text = "y" * _DEAF_BYTES
    async with raw(port) as client:
        for number in range(1_000_000):
            await _answered(client, number, text)
            answers[0] += 1


async def _crowd(port: int, pid: int, seconds: float, crowd: Crowd) -> None:
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as clients:
            clients.start_soon(_weigh, pid, crowd)
            for number in range(_DEAF):
                clients.start_soon(_ask_for_much, port, number / _DEAF, crowd)
            for number in range(_READERS):
                clients.start_soon(_read, port, number / _READERS, crowd)


async def _weigh(pid: int, crowd: Crowd) -> None:
    began = trio.current_time()
    while True:
        crowd.memory.append((trio.current_time() - began, weight(pid).resident / 2**20))
        await trio.sleep(0.25)


async def _read(port: int, offset: float, crowd: Crowd) -> None:
    """Calls at an even pace; the clients' are spread evenly over it."""
    await trio.sleep(offset * crowd.every_s)
    async with raw(port) as client:
        for number in range(10_000):
            heard = await _answered(client, number, "x" * 200)
            crowd.took += heard.accepted
            crowd.refused += len(heard.refused)
            await trio.sleep(crowd.every_s)


async def _answered(client: Raw, number: int, text: str) -> Heard:
    """Ask once, wait for the answer and acknowledge it."""
    heard = Heard()
    await client.say([_echo(str(number), text)])
    while not _take(client, await client.hear(), heard):
        pass
    await client.say([frame("ack", seq=2 * number + 2)])
    return heard


async def _ask_for_much(port: int, offset: float, crowd: Crowd) -> None:
    """The same for answers of 40 KB; who is cut off comes again."""
    text = "y" * _DEAF_BYTES
    await trio.sleep(offset * crowd.every_s)
    while True:  # noqa: ASYNC913  # its every turn waits for the network
        try:
            async with raw(port, deaf=crowd.deaf) as client:
                for number in range(10_000):
                    if crowd.deaf:
                        await client.say([_echo(str(number), text)])
                    else:
                        await _answered(client, number, text)
                    await trio.sleep(crowd.every_s)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, NotMeasured):
            crowd.cut += 1


def watchdog(*, quick: bool) -> Iterator[Row]:
    """A step of the event loop with the watchdog and without, by turns."""
    rounds, steps = (5, 20_000) if quick else (15, 50_000)
    with_it, without = [], []
    for _ in range(rounds):
        with_it.append(run(_steps, steps, math.inf) / steps)
        without.append(run(_steps, steps, None) / steps)
    ours, floor = median(with_it) * 1e6, median(without) * 1e6
    yield _row("watchdog: a step of the event loop with it (floor: without)", "µs", ours, floor)
    yield _row("  added to a step", "µs", ours - floor, goal=Goal("at most", 1.0))


async def _steps(count: int, longest_s: float | None) -> float:
    if longest_s is None:
        return await _timed(count)
    with watching(Watchdog(longest_s)):
        return await _timed(count)


async def _timed(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        await trio.lowlevel.checkpoint()
    return time.perf_counter() - began


def frames(*, quick: bool) -> Iterator[Row]:
    """How long another client waits for its pong while the daemon gets a frame of nine megabytes, of each kind by turns."""
    kinds = list(_large_frames().items())
    longest: dict[str, float] = {}
    with our_daemon(ENABLED_TOOLS="test_echo", LOG_LEVEL="WARNING") as daemon:
        for _ in range(1 if quick else 3):
            for name, large in kinds:
                waited = run(_pinged, daemon.port, large)
                longest[name] = min(waited, longest.get(name, math.inf))
    for name, waited in longest.items():
        yield Row(
            what=f"another client's longest pong meanwhile: {name}",
            unit="ms",
            ours=waited * 1000,
            goal=Goal("at most", _PONG_MS),
        )


async def _pinged(port: int, large: bytes) -> float:
    """The longest wait for a pong from when the large frame goes out until it is answered or its connection ends."""
    waited: list[float] = []

    async def ping(other: Raw) -> None:
        while True:
            await other.say([frame("ping", request_id=1)])
            ((at, _),) = await other.hear()
            waited.append(at - other.sent)
            await trio.sleep(0.001)

    async with raw(port) as attacker, raw(port) as other, trio.open_nursery() as pinging:
        pinging.start_soon(ping, other)
        with trio.move_on_after(_ANSWER_S):
            await attacker.stream.send_all(large)
            await attacker.hear()
        pinging.cancel_scope.cancel()
    return max(waited)


def _large_frames() -> dict[str, bytes]:
    """Twenty kinds, as they travel."""
    text, begun = "x" * _LARGE, '{"op":"call_tool","request_id":"r","name":"chat","arguments":'
    calls: dict[str, dict[str, Any]] = {
        "a tool's name": {"name": text},
        "an argument's name": {"name": "chat", "arguments": {text: 1}},
        "600,000 names": {"name": "chat", "arguments": {f"k{n}": 1 for n in range(600_000)}},
        "15,000 names": {"name": "chat", "arguments": {f"k{n}": 1 for n in range(15_000)}},
        "a model's name": {"name": "chat", "arguments": {"prompt": "x", "model": text}},
        "a conversation": {"name": "chat", "arguments": {"prompt": "x", "continuation_id": text}},
        "a word of a few": {"name": "chat", "arguments": {"prompt": "x", "thinking_mode": text}},
        "roots": {"name": "chat", "roots": ["/a"] * 1_000_000},
        "a root": {"name": "chat", "roots": ["/" + text]},
        "a trace": {"name": "chat", "trace": text},
        "a file's name": {"name": "chat", "arguments": {"prompt": "x", "files": ["/" + text]}},
        "wide text": {"name": "chat", "arguments": {"prompt": "é" * (_LARGE // 6), "model": text[:300]}},
    }  # fmt: skip
    texts = {
        "brackets": begun + "[" * _LARGE,
        "empty lists": begun + "[" + "[]," * (_LARGE // 3) + "1]}",
        "quotes and commas": begun + '{"nothing":"' + '\\",' * (_LARGE // 3) + '"}}',
        "half a character": begun + '{"prompt":"\\ud800' + text + '"}}',
        "cut off": begun + '{"prompt":"' + text,
        "a long integer": '{"op":"ping","request_id":' + "7" * _LARGE + "}",
        "an op": json.dumps({"op": text}),
        "no JSON": text,
    }
    large = {
        name: frame("call_tool", **({"request_id": "r"} | call)) for name, call in calls.items()
    }
    return large | {name: framed(one.encode()) for name, one in texts.items()}
