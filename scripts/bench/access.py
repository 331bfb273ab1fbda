"""What tokens, quotas and refusals cost: hellos by JWT, calls with a quota, guesses beside honest callers."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import trio

from .pairs import Daemon, our_daemon
from .peer import run
from .processes import NotMeasured, environment
from .raw import Raw, frame, raw
from .report import Goal, Row, median, percentile

_TOKEN = "the-token-of-this-benchmark"  # noqa: S105  # of a daemon that ends with it
_SECRET = "the key of this benchmark's tokens, long enough"  # noqa: S105  # likewise


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def jwt(key: str = _SECRET, **claims: object) -> str:
    """Signed by the daemon's key, unless another is given."""
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'sub': 'ann', 'exp': int(time.time()) + 900, **claims})}"
    signature = hmac.digest(key.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def _hello(peer: Raw, **shown: str) -> tuple[float, dict[str, Any]]:
    """Seconds from the hello to its answer, and that."""
    await peer.say([frame("hello", protocol=2, **shown)])
    at, answer = (await peer.hear())[0]
    return at - peer.sent, json.loads(answer)


async def _hellos(port: int, count: int, kinds: list[dict[str, str]]) -> list[list[float]]:
    """Seconds of so many hellos of each kind, by turns; a refused one waits for nobody."""
    took: list[list[float]] = [[] for _ in kinds]
    for _ in range(count):
        for times, shown in zip(took, kinds, strict=True):
            async with raw(port, greets=False) as peer:
                times.append((await _hello(peer, **shown))[0])
    return took


def hello(*, quick: bool) -> Iterator[Row]:
    """A hello with a JWT instead of the token."""
    with our_daemon(EXAI_WS_TOKEN=_TOKEN, JWT_SECRET_KEY=_SECRET) as daemon:
        kinds = [{"token": _TOKEN}, {"jwt": jwt()}]
        token, signed = run(_hellos, daemon.port, 200 if quick else 2_000, kinds)
    ours, floor = median(signed) * 1000, median(token) * 1000
    yield Row(what="hello by JWT, p50 (floor: by token)", unit="ms", ours=ours, floor=floor)
    goal = Goal("at most", 0.3)
    yield Row(what="  more than by token", unit="ms", ours=ours - floor, goal=goal)


def call(*, quick: bool) -> Iterator[Row]:
    """A call with quotas that are not reached, and one without, by turns."""
    settings = {"EXAI_WS_TOKEN": _TOKEN, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "WARNING"}
    with our_daemon(**settings) as daemon:
        free, bound = (_issued(daemon, *words) for words in ((), _QUOTAS))
        took = run(_calls, daemon.port, 300 if quick else 5_000, [free, bound])
    floor, ours = (median(times) * 1000 for times in took)
    yield Row(what="a call with quotas, p50 (floor: without)", unit="ms", ours=ours, floor=floor)
    yield Row(what="  more than without", unit="ms", ours=ours - floor, goal=Goal("at most", 0.1))


_QUOTAS = ("--calls-per-minute", "1000000", "--concurrent", "100", "--tokens-per-day", "1000000")


def _issued(daemon: Daemon, *words: str) -> str:
    """A token of that daemon's home. Raises NotMeasured."""
    command = [sys.executable, "-m", "exai_trio", "token", "issue", f"bench{len(words)}", *words]
    env = environment(daemon.where)
    done = subprocess.run(
        command, check=False, env=env, cwd=daemon.where, capture_output=True, text=True
    )
    if done.returncode:
        raise NotMeasured(done.stderr)
    return done.stdout.strip()


async def _calls(port: int, count: int, tokens: list[str]) -> list[list[float]]:
    took: list[list[float]] = [[] for _ in tokens]
    async with raw(port, greets=False) as free, raw(port, greets=False) as bound:
        for peer, token in zip((free, bound), tokens, strict=True):
            await _hello(peer, jwt=token)
        for number in range(count):
            for times, peer in zip(took, (free, bound), strict=True):
                times.append(await _echo(peer, number))
    return took


async def _echo(peer: Raw, number: int) -> float:
    """Seconds from a call to its result. Raises NotMeasured."""
    name = f"r{number}"
    await peer.say(
        [frame("call_tool", request_id=name, name="test_echo", arguments={"prompt": "x"})]
    )
    while True:
        for at, text in await peer.hear():
            told = json.loads(text)
            if told.get("op") == "call_tool_res" and told["request_id"] == name:
                if not told["ok"]:
                    raise NotMeasured(f"a call failed: {told}")
                return at - peer.sent


def timing(*, quick: bool) -> Iterator[Row]:
    """Whether unknown, wrong and expired tokens are told apart by how long they take; the rate of refusals is off, for it delays."""
    kinds = [
        {"jwt": jwt(_SECRET + "!")},
        {"jwt": jwt(exp=int(time.time()) - 900)},
        {"jwt": jwt(role="nobody")},
    ]
    with our_daemon(JWT_SECRET_KEY=_SECRET, LOG_LEVEL="WARNING") as daemon:
        took = run(_unrated, daemon.port, 5 if quick else 300, kinds)
    wrong, *others = (median(times) for times in took)
    for name, ours in zip(("expired", "of no role"), others, strict=True):
        yield Row(what=f"refusal of a token that is {name} (floor: wrong)", unit="ms", ours=ours * 1000, floor=wrong * 1000)  # fmt: skip


async def _unrated(port: int, count: int, kinds: list[dict[str, str]]) -> list[list[float]]:
    """Each time before the refusals are rated: twenty are free, then two a second."""
    took: list[list[float]] = [[] for _ in kinds]
    for _ in range(count):
        found = await _hellos(port, 6, kinds)
        for times, more in zip(took, found, strict=True):
            times.extend(more)
        await trio.sleep(10)
    return took


_GUESSERS, _HONEST = 100, 20


def guesses(*, quick: bool) -> Iterator[Row]:
    """Honest callers beside as many guesses as the machine can make, and the same without them."""
    seconds = 5.0 if quick else 60.0
    settings = {"JWT_SECRET_KEY": _SECRET, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "WARNING"}
    with our_daemon(**settings) as daemon:
        alone, *_ = run(_beside, daemon.port, seconds, 0)
        beside, tried, let_in, refused = run(_beside, daemon.port, seconds, _GUESSERS)
        log = daemon.where / "exai" / "logs" / "access.jsonl"
        size = log.stat().st_size if log.exists() else 0
    floor, ours = percentile(alone, 99) * 1000, percentile(beside, 99) * 1000
    yield Row(what=f"honest calls beside {tried / seconds:.0f} guesses a second, p99 (floor: alone)", unit="ms", ours=ours, floor=floor, goal=Goal("at most", 2, of_floor=True))  # fmt: skip
    yield Row(what="  guesses let in", unit="", ours=let_in, goal=Goal("at most", 0))
    yield Row(what="  honest hellos refused", unit="", ours=refused, goal=Goal("at most", 0))
    yield Row(what="  access log", unit="MiB", ours=size / 2**20, goal=Goal("at most", 1))


async def _beside(port: int, seconds: float, guessers: int) -> tuple[list[float], int, int, int]:
    """Seconds of honest calls; how many guesses there were, how many were let in, and how many honest hellos were refused."""
    took: list[float] = []
    tried = let_in = refused = 0

    async def honest() -> None:
        nonlocal refused
        while True:
            async with raw(port, greets=False) as peer:
                refused += not (await _hello(peer, jwt=jwt()))[1]["ok"]
                for number in range(10):
                    took.append(await _echo(peer, number))
                    await trio.sleep(0.05)

    async def guess(number: int) -> None:
        nonlocal tried, let_in
        while True:
            tried += 1
            async with raw(port, greets=False) as peer:
                let_in += (await _hello(peer, jwt=jwt(f"a key that is none {number} {tried}")))[1][
                    "ok"
                ]
            await trio.sleep(0.01)

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as clients:
            for _ in range(_HONEST):
                clients.start_soon(honest)
            for number in range(guessers):
                clients.start_soon(guess, number)
    return took, tried, let_in, refused
