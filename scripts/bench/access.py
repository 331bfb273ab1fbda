"""What tokens and quotas cost: hellos by JWT, calls with a quota, and nothing of either where there is none."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .pairs import Daemon, our_daemon
from .peer import run
from .processes import NotHere, NotMeasured, child, environment, free_port, home, wait_open, weight
from .raw import Raw, frame, raw
from .report import Goal, Row, median

TOKEN = "the-token-of-this-benchmark"  # noqa: S105  # of a daemon that ends with it
SECRET = "the key of this benchmark's tokens, long enough"  # noqa: S105  # likewise


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def jwt(key: str = SECRET, **claims: object) -> str:
    """Signed by the daemon's key, unless another is given."""
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'sub': 'ann', 'exp': int(time.time()) + 900, **claims})}"
    signature = hmac.digest(key.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def say_hello(peer: Raw, **shown: str) -> tuple[float, dict[str, Any]]:
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
                times.append((await say_hello(peer, **shown))[0])
    return took


def hello(*, quick: bool) -> Iterator[Row]:
    """A hello with a JWT instead of the token."""
    with our_daemon(EXAI_WS_TOKEN=TOKEN, JWT_SECRET_KEY=SECRET) as daemon:
        kinds = [{"token": TOKEN}, {"jwt": jwt()}]
        token, signed = run(_hellos, daemon.port, 200 if quick else 2_000, kinds)
    ours, floor = median(signed) * 1000, median(token) * 1000
    yield Row(what="hello by JWT, p50 (floor: by token)", unit="ms", ours=ours, floor=floor)
    goal = Goal("at most", 0.3)
    yield Row(what="  more than by token", unit="ms", ours=ours - floor, goal=goal)


def call(*, quick: bool) -> Iterator[Row]:
    """A call with quotas that are not reached, and one without, by turns; of one daemon, and of one that shares them in Redis."""
    yield from _quota_rows("SQLite", 0.1, 300 if quick else 5_000)
    with redis() as url:
        yield from _quota_rows("Redis", 1.0, 300 if quick else 5_000, REDIS_URL=url)


def _quota_rows(store: str, most_ms: float, count: int, **more: str) -> Iterator[Row]:
    settings = {"EXAI_WS_TOKEN": TOKEN, "ENABLED_TOOLS": "test_echo", "LOG_LEVEL": "WARNING"}
    with our_daemon(**settings, **more) as daemon:
        free, bound = (issued(daemon, *words, **more) for words in ((), _QUOTAS))
        took = run(_calls, daemon.port, count, [free, bound])
    floor, ours = (median(times) * 1000 for times in took)
    yield Row(what=f"a call with quotas in {store}, p50 (floor: without)", unit="ms", ours=ours, floor=floor)  # fmt: skip
    yield Row(what="  more than without", unit="ms", ours=ours - floor, goal=Goal("at most", most_ms))  # fmt: skip


@contextmanager
def redis() -> Generator[str]:
    """The URL of a redis-server of our own. Raises NotHere."""
    if shutil.which("redis-server") is None:
        raise NotHere("redis-server is not installed")
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with home() as where, child(words, environment(where), where):
        wait_open("redis-server", port)
        yield f"redis://127.0.0.1:{port}/0"


_QUOTAS = ("--calls-per-minute", "1000000", "--concurrent", "100", "--tokens-per-day", "1000000")


def issued(daemon: Daemon, *words: str, **more: str) -> str:
    """A token of that daemon's home. Raises NotMeasured."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "exai_trio",
        "token",
        "issue",
        f"bench{len(words)}",
        *words,
    ]
    env = environment(daemon.where, **more)
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
            await say_hello(peer, jwt=token)
        for number in range(count):
            for times, peer in zip(took, (free, bound), strict=True):
                times.append(await echo(peer, number))
    return took


async def echo(peer: Raw, number: int) -> float:
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


def without(*, quick: bool) -> Iterator[Row]:
    """What a daemon has of JWT and Redis where neither is set; the floor has both."""
    del quick
    with our_daemon(EXAI_WS_TOKEN=TOKEN) as daemon:
        ours, loaded = weight(daemon.process.pid).own, _loaded(daemon.process.pid)
    with redis() as url, our_daemon(EXAI_WS_TOKEN=TOKEN, JWT_SECRET_KEY=SECRET, REDIS_URL=url) as daemon:  # fmt: skip
        floor = weight(daemon.process.pid).own
    yield Row(what="memory without JWT and Redis (floor: with both)", unit="MiB", ours=ours / 2**20, floor=floor / 2**20)  # fmt: skip
    yield Row(what="  libraries of either that are loaded", unit="", ours=loaded, goal=Goal("at most", 0))  # fmt: skip


def _loaded(pid: int) -> int:
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return len({name for name in ("cryptography", "coredis") if f"/{name}/" in maps})
