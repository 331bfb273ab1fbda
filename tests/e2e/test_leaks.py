"""A thousand calls that end in every way there is leave nothing behind in a real daemon."""

import random
from contextlib import suppress
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

pytestmark = pytest.mark.real

CONNECTIONS = 10
GROUPS, GROUP, DROPPED = 3, 30, 10  # of each connection: 3 x 30 + 10 = 100 calls
IDLE_THREADS = 10  # trio keeps a thread for ten seconds after its last work, and uses it again


@attrs.frozen
class Kind:
    """One way to end. `code` is "" for a result; `cancel_at` is the op of the frame after which the client cancels."""

    code: str
    arguments: dict = attrs.field(factory=dict)
    name: str = "chat"
    timeout_s: float | None = None
    cancel_at: str = ""
    stream: bool = False


def prompt(text, **more):
    return {"prompt": text, **more}


FINISHED = [
    Kind("", prompt("x"), name="test_echo"),
    Kind("", prompt("x", delay_ms=20), name="test_echo"),
    Kind("", prompt("a question")),
    Kind("", prompt("a question", model="kimi-k3"), stream=True),
]
REFUSED = [
    Kind("VALIDATION_ERROR", prompt("")),
    Kind("TOOL_NOT_FOUND", name="no_such_tool"),
    Kind("VALIDATION_ERROR", prompt("x", files=["/etc/hostname"])),
    Kind("NOT_FOUND", prompt("x", model="no-such-model")),
]
FAILED = [  # for good, or once
    Kind("PROVIDER_ERROR", prompt("[[simulate: status=400]]")),
    Kind("PROVIDER_ERROR", prompt("[[simulate: status=401]]", model="kimi-k3")),
    Kind("", prompt("[[simulate: status=500 times=1]]", model="kimi-k3")),
    Kind("", prompt("[[simulate: tokens=9 cut_after=3 times=1]]"), stream=True),
]
CANCELLED = [
    Kind("CANCELLED", prompt("x", delay_ms=60_000), name="test_echo", cancel_at="call_tool_ack"),
    Kind("CANCELLED", prompt("[[simulate: hang]]"), cancel_at="call_tool_ack"),
    Kind("CANCELLED", prompt("[[simulate: tokens=5000 drip=0.01]]"), cancel_at="stream_chunk", stream=True),
    Kind("CANCELLED", prompt("[[simulate: tokens=5000 drip=0.01]]", model="kimi-k3"), cancel_at="stream_chunk", stream=True),
]  # fmt: skip
LATE = [
    Kind("TIMEOUT", prompt("x", delay_ms=60_000), name="test_echo", timeout_s=0.05),
    Kind("TIMEOUT", prompt("[[simulate: hang]]", model="kimi-k3"), timeout_s=0.1),
    Kind(
        "TIMEOUT", prompt("[[simulate: delay=9 tokens=5000 drip=0.01]]"), timeout_s=0.1, stream=True
    ),
]
LEFT = [
    Kind("", prompt("x", delay_ms=60_000), name="test_echo"),
    Kind("", prompt("[[simulate: hang]]")),
    Kind("", prompt("[[simulate: tokens=5000 drip=0.01]]", model="kimi-k3"), stream=True),
]
WAYS = [FINISHED, FINISHED, REFUSED, FAILED, CANCELLED, LATE]


async def test_a_thousand_mixed_calls(daemon, until):
    """Permits, calls, sessions, descriptors, threads, provider connections and files are what they were before."""
    await _mix(daemon, 1)
    await until(partial(_quiet, daemon))
    await _ask_both(daemon)
    await until(partial(_quiet, daemon))
    before = Held.by(daemon)
    served = await _counted(daemon)
    ended = await _mix(daemon, GROUPS)
    await until(partial(_quiet, daemon))
    calls = await _counted(daemon) - served
    await until(partial(_is_within, daemon, before))

    assert Held.by(daemon).files == before.files
    assert CONNECTIONS * (GROUPS * GROUP + DROPPED) == calls
    assert {} == {codes: count for codes, count in ended.items() if codes[0] != codes[1]}
    assert 0 == (await daemon.simulator_state())["crashes"]


@attrs.frozen
class Held:
    """What a daemon holds of the system's: open descriptors, threads, files of its home and of its temporary directory.

    Not counted: connections to a provider that wait for their next request; segments of the log of calls, which come and go; what
    SQLite keeps of a closed connection for its next one.
    """

    descriptors: int
    threads: int
    files: tuple[str, ...]

    @classmethod
    def by(cls, daemon):
        process = Path(f"/proc/{daemon.pid}")
        found = (path for path in daemon.place.home.rglob("*") if path.is_file())
        return cls(
            len(_descriptors(process) - _to_provider(process, daemon.simulator)),
            len(list((process / "task").iterdir())),
            tuple(sorted(str(path) for path in found if not _comes_and_goes(path))),
        )


def _descriptors(process):
    """What each is of, and its number."""
    found = set()
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add((str(each.readlink()), each.name))
    return {each for each in found if not Path(each[0]).name.startswith("exai.db")}


def _to_provider(process, port):
    """Those that are connections to that port of this machine."""
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[2].split(":")[1], 16) == port}
    return {each for each in _descriptors(process) if each[0] in sockets}


def _comes_and_goes(path):
    return path.name == "ws_daemon.health.json" or ".calls-" in path.name


async def _is_within(daemon, before):
    """Asked again, for a connection that has just ended is closed a little later."""
    now = Held.by(daemon)
    within = now.descriptors <= before.descriptors and now.threads <= before.threads + IDLE_THREADS
    return within and now.files == before.files


async def _ask_both(daemon):
    """Each provider has one connection that it keeps for the next request."""
    async with daemon.place.client() as one:
        await one.outcome("glm", "chat", prompt="x")
        await one.outcome("kimi", "chat", prompt="x", model="kimi-k3")


async def _quiet(daemon):
    health = await daemon.health()
    provider = await daemon.simulator_state()
    return not (health["sessions"] or health["connections"] or provider["open"]) and await daemon.idle()  # fmt: skip


async def _counted(daemon):
    """All calls that came so far: those that were accepted, and those that were refused."""
    calls = (await daemon.health())["calls"]
    return calls["accepted"] + calls["refused"]


async def _mix(daemon, groups):
    """All ways to end, on several connections at once. Returns how often the code (expected, heard) came."""
    ended = {}
    async with trio.open_nursery() as clients:
        for number in range(CONNECTIONS):
            clients.start_soon(_converse, daemon, random.Random(number), groups, ended)  # noqa: S311  # the same mix each time
    return ended


async def _converse(daemon, chosen, groups, ended):
    async with daemon.place.client() as one:
        for number in range(groups):
            ways = [WAYS[place % len(WAYS)] for place in range(GROUP)]
            kinds = [chosen.choice(way) for way in ways]
            await _run(one, {f"{number}-{place}": kind for place, kind in enumerate(kinds)}, ended)
        for number in range(DROPPED):
            await _call(one, f"left-{number}", LEFT[number % len(LEFT)])
        for _ in range(DROPPED):
            await one.hear_until("call_tool_ack")
        await one.vanish()


async def _call(one, request_id, kind):
    call = {"name": kind.name, "arguments": kind.arguments, "stream": kind.stream}
    await one.say("call_tool", request_id=request_id, timeout_s=kind.timeout_s, **call)


async def _run(one, kinds, ended):
    """Start them all; cancel those that are to be cancelled; hear the end of each, once."""
    for request_id, kind in kinds.items():
        await _call(one, request_id, kind)
    left, cancelled = dict(kinds), set()
    while left:
        heard = await one.hear()
        request_id = heard["request_id"]
        kind = left.get(request_id)
        if heard["op"] == "call_tool_res":
            code = heard["error"]["code"] if not heard["ok"] else ""
            ended[kind.code, code] = ended.get((kind.code, code), 0) + 1
            del left[request_id]
        elif kind is not None and heard["op"] == kind.cancel_at and request_id not in cancelled:
            cancelled.add(request_id)
            await one.say("cancel", request_id=request_id)
