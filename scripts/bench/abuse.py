"""What those do to honest callers who have no token: floods of bad hellos, a dictionary, clocks held to refusals; and tokens that change under load."""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from .access import SECRET, TOKEN, echo, issued, jwt, say_hello
from .pairs import Daemon, our_daemon
from .peer import run
from .processes import (
    FLOOR,
    NotMeasured,
    child,
    environment,
    floor as process_floor,
    read_line,
    weight,
)
from .raw import Raw, raw
from .report import Goal, Row, percentile

_HONEST = 100
_A_SECOND = 1_000
_AS_FAST_AS_IT_GOES = 1_000_000
_PAUSE_S = 0.5  # between two calls of an honest client
_ALONE_S = 15.0  # three thousand calls say what they are
_MOST_GROWTH_MIB = 64.0
_QUIET = {"JWT_SECRET_KEY": SECRET, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "WARNING"}


@attrs.define
class _Honest:
    """Seconds of their calls, and how many of their hellos were refused."""

    took: list[float] = attrs.field(factory=list[float])
    refused: int = 0

    async def call(self, port: int, seconds: float) -> None:
        """All of them, each on its connection, which some begin anew."""
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as clients:
                for number in range(_HONEST):
                    clients.start_soon(self._one, port, number)

    async def _one(self, port: int, number: int) -> None:
        await trio.sleep(_PAUSE_S * number / _HONEST)
        while True:
            async with raw(port, greets=False) as peer:
                self.refused += not (await say_hello(peer, jwt=jwt()))[1]["ok"]
                for turn in range(10):
                    self.took.append(await echo(peer, turn))
                    await trio.sleep(_PAUSE_S)


def flood(*, quick: bool) -> Iterator[Row]:
    """A hundred honest clients that call: alone, beside a flood that another process refuses, and beside one that the daemon does."""
    seconds = 6.0 if quick else 60.0
    with our_daemon(**_QUIET) as daemon:
        alone, elsewhere, beside = _Honest(), _Honest(), _Honest()
        run(alone.call, daemon.port, min(seconds, _ALONE_S))
        with _refuser(daemon) as port, _guessing(daemon, port, _A_SECOND, min(seconds, _ALONE_S)) as guessing:  # fmt: skip
            run(elsewhere.call, daemon.port, min(seconds, _ALONE_S))
            _last_line(guessing)
        before = weight(daemon.process.pid).own
        with _guessing(daemon, daemon.port, _A_SECOND, seconds) as guessing:
            run(beside.call, daemon.port, seconds)
            told = json.loads(_last_line(guessing))
        grown = (weight(daemon.process.pid).own - before) / 2**20
        size = _access_log(daemon)
    floor, machine, ours = (percentile(each.took, 99) * 1000 for each in (alone, elsewhere, beside))
    yield Row(what=f"{_HONEST} honest clients beside {told['tried'] / seconds:.0f} bad hellos a second, p99 (floor: alone)", unit="ms", ours=ours, floor=floor, goal=Goal("at most", 2, of_floor=True))  # fmt: skip
    yield Row(what="  the machine's part: the same beside as many at a bare trio-websocket server", unit="ms", ours=machine, floor=floor)  # fmt: skip
    yield from _nobody_in(told)
    yield Row(what="  honest hellos refused", unit="", ours=beside.refused, goal=Goal("at most", 0))  # fmt: skip
    yield Row(what="  memory grown", unit="MiB", ours=grown, goal=Goal("at most", _MOST_GROWTH_MIB))
    yield Row(what="  access log", unit="MiB", ours=size, goal=Goal("at most", 1))


@contextmanager
def _refuser(daemon: Daemon) -> Generator[int]:
    """The port of a process that does nothing but refuse."""
    with child(process_floor("refuser"), environment(daemon.where), daemon.where) as process:
        yield int(read_line(process))


def dictionary(*, quick: bool) -> Iterator[Row]:
    """Tokens of a list, one after the other, as fast as they are refused."""
    count = 2_000 if quick else 100_000
    with our_daemon(**_QUIET) as daemon:
        seconds = count / _AS_FAST_AS_IT_GOES
        with _guessing(daemon, daemon.port, _AS_FAST_AS_IT_GOES, seconds) as guessing:
            told = json.loads(_last_line(guessing))
        size = _access_log(daemon)
    yield Row(what="tokens of a dictionary that were tried", unit="", ours=told["tried"])
    yield from _nobody_in(told)
    yield Row(what="  access log", unit="MiB", ours=size, goal=Goal("at most", 1))


def _guessing(daemon: Daemon, port: int, per_s: float, seconds: float) -> Any:
    words = [sys.executable, str(FLOOR / "guesser.py"), str(port), str(per_s), str(seconds)]
    return child(words, environment(daemon.where), daemon.where)


def _last_line(guessing: subprocess.Popen[bytes]) -> bytes:
    """What it says at its end, which may be minutes away. Raises NotMeasured."""
    line = guessing.stdout.readline() if guessing.stdout else b""
    if not line:
        raise NotMeasured("the guesser ended without a word")
    return line


def _nobody_in(told: dict[str, int]) -> Iterator[Row]:
    yield Row(what="  answered", unit="", ours=told["answered"])
    yield Row(what="  let in", unit="", ours=told["let_in"], goal=Goal("at most", 0))


def _access_log(daemon: Daemon) -> float:
    """MiB, once the daemon has written it."""
    log = daemon.where / "logs" / "access.jsonl"
    until = time.monotonic() + 15
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.2)
    return log.stat().st_size / 2**20 if log.exists() else 0.0


def timing(*, quick: bool) -> Iterator[Row]:
    """Whether refusals tell by their time what is wrong: the rate of refusals is off, for it delays."""
    count = 300 if quick else 10_000
    command = [sys.executable, "-P", str(FLOOR / "unrated_daemon.py")]
    with our_daemon(command, EXAI_WS_TOKEN=TOKEN, LOG_LEVEL="WARNING") as daemon:
        kinds = _refused_tokens(daemon)
        took = run(_refusals, daemon.port, count, kinds)
    medians = {name: statistics.median(times) * 1000 for name, times in took.items()}
    floor = medians.pop("wrong")
    for name, ours in medians.items():
        apart = abs(ours / floor - 1) * 100
        yield Row(what=f"refusal of a token that is {name}, p50 (floor: wrong)", unit="ms", ours=ours, floor=floor)  # fmt: skip
        yield Row(what="  apart", unit="%", ours=apart, goal=Goal("at most", 5))


def _refused_tokens(daemon: Daemon) -> dict[str, str]:
    """One of each kind, all of the same length."""
    revoked = issued(daemon)
    head, payload, signature = revoked.split(".")
    _command(daemon, "token", "revoke", "--all-of", "bench0")
    other = "A" if signature[0] != "A" else "B"
    known = json.loads((daemon.where / "state" / "jwt_keys.json").read_text(encoding="utf-8"))["keys"][0]  # fmt: skip
    return {
        "wrong": f"{head}.{payload}.{other}{signature[1:]}",
        "revoked": revoked,
        "unknown": _signed_by(known, payload, jti="tok_0000000000000000"),
        "expired": _signed_by(known, payload, exp=int(time.time()) - 900),
    }


def _signed_by(key: dict[str, str], payload: str, **claims: object) -> str:
    """With the claims of that payload, but for these."""
    import jwt as pyjwt

    told = json.loads(pyjwt.utils.base64url_decode(payload)) | claims
    return pyjwt.encode(told, pyjwt.PyJWK(key, "HS256").key, "HS256", headers={"kid": key["kid"]})


def _command(daemon: Daemon, *words: str) -> None:
    """Raises NotMeasured."""
    command = [sys.executable, "-P", "-m", "exai_trio", *words]
    env = environment(daemon.where)
    done = subprocess.run(command, check=False, env=env, cwd=daemon.where, capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        raise NotMeasured(done.stderr)


_RARELY, _FOURTH = (
    "expired",
    4,
)  # nobody has asked for that one: it is measured with a fourth of the hellos
_AT_ONCE = 20  # each waits until its refusal is due, so that the daemon is not busy


async def _refusals(port: int, count: int, kinds: dict[str, str]) -> dict[str, list[float]]:
    """Seconds from each hello to its refusal, in another order each time."""
    took: dict[str, list[float]] = {name: [] for name in kinds}

    async def refused() -> None:
        for turn in range(count // _AT_ONCE):
            asked = [name for name in kinds if name != _RARELY or turn % _FOURTH == 0]
            for name in random.sample(asked, len(asked)):
                async with raw(port, greets=False) as peer:
                    seconds, told = await say_hello(peer, jwt=kinds[name])
                    if told["ok"]:
                        raise NotMeasured(f"a token that is {name} was let in")
                    took[name].append(seconds)

    async with trio.open_nursery() as asking:
        for _ in range(_AT_ONCE):
            asking.start_soon(refused)
    return took


_CALLS_A_SECOND = 100
_CALLERS = 10


def rotation(*, quick: bool) -> Iterator[Row]:
    """A hundred calls a second by issued tokens, while keys are replaced and tokens of others are taken back."""
    rounds = 2 if quick else 10
    settings = {"EXAI_WS_TOKEN": TOKEN, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "WARNING"}
    with our_daemon(**settings) as daemon:
        token = issued(daemon)
        _command(daemon, "token", "issue", "other")
        made, failed = run(_calls_meanwhile, daemon, token, rounds)
    yield Row(what=f"calls while keys were rotated and tokens revoked, {rounds} times", unit="", ours=made)  # fmt: skip
    yield Row(what="  failed", unit="", ours=failed, goal=Goal("at most", 0))


async def _calls_meanwhile(daemon: Daemon, token: str, rounds: int) -> tuple[int, int]:
    """How many calls were made, and how many of them or of their hellos failed."""
    made = failed = 0

    async def caller() -> None:
        nonlocal made, failed
        while True:
            async with raw(daemon.port, greets=False) as peer:
                failed += not (await say_hello(peer, jwt=token))[1]["ok"]
                for number in range(20):
                    made += 1
                    failed += await _fails(peer, number)
                    await trio.sleep(_CALLERS / _CALLS_A_SECOND)

    async with trio.open_nursery() as callers:
        for _ in range(_CALLERS):
            callers.start_soon(caller)
        for _ in range(rounds):
            for words in (("rotate-keys",), ("issue", "other"), ("revoke", "--all-of", "other")):
                await trio.to_thread.run_sync(_command, daemon, "token", *words)
        callers.cancel_scope.cancel()
    return made, failed


async def _fails(peer: Raw, number: int) -> bool:
    try:
        await echo(peer, number)
    except NotMeasured:
        return True
    return False
