"""LiteLLM's proxy, which stands before model services as our daemon does, beside it before a service that answers at once.

It is fetched into a folder that is gone afterwards; where pip has none of it the row is skipped, and the reason is told.
"""

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import trio
from trio_websocket import WebSocketConnection

from .pairs import our_daemon
from .peer import connection, greet, hear, run, say
from .processes import (
    NotHere,
    NotMeasured,
    child,
    environment,
    free_port,
    home,
    read_line,
    settled_weight,
    wait_open,
)
from .report import Goal, Row, median

_AT_ONCE = 10
_MODEL = "glm-4.5-flash"
_PROMPT = "Say something."
_FETCH_S, _BEGINS_S = 900.0, 120.0
_PACKAGE = "litellm[proxy]"
_SERVICE = Path(__file__).parent / "peer_models.py"
_MIB = 2**20
Ask = Callable[[int], Awaitable[None]]


def proxies(*, quick: bool) -> Iterator[Row]:
    """Chats a second, so many at once, streamed and whole, by turns; and what each weighs after them."""
    with home() as where:
        program = _fetched(where)
        with (
            _service() as origin,
            our_daemon(GLM_API_URL=origin, GLM_API_KEY="bench-12345678", KIMI_API_KEY="") as mine,
            _proxy(program, origin) as (pid, address),
        ):
            for name, most in (("streamed", 20), ("whole", 6)):
                ours_s, theirs_s = run(_rates, mine.port, address, name, 2 if quick else 6)
                yield Row(
                    what=f"chats a second, {_AT_ONCE} at once, {name}, LiteLLM's proxy as floor",
                    unit="/s",
                    ours=median(ours_s),
                    floor=median(theirs_s),
                    goal=Goal("at least", most, of_floor=True),
                )
            yield Row(
                what="  memory after them",
                unit="MiB",
                ours=settled_weight(mine.process.pid).resident / _MIB,
                floor=settled_weight(pid).resident / _MIB,
            )


async def _rates(
    port: int,
    address: str,
    name: str,
    rounds: int,
) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    stream = name == "streamed"
    async with connection(port) as socket, httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        await greet(socket)
        for number in range(rounds + 1):  # the first is to warm up
            mine.append(await _our_rate(socket, f"{name}{number}", stream=stream))
            theirs.append(await _their_rate(http, address, stream=stream))
    return mine[1:], theirs[1:]


async def _our_rate(
    socket: WebSocketConnection, name: str, *, stream: bool, chats: int = 300
) -> float:
    arguments = {"prompt": _PROMPT, "model": _MODEL, "use_websearch": False, "stream": stream}
    began, asked, ended = time.perf_counter(), 0, 0
    while ended < chats:
        while asked < min(chats, ended + _AT_ONCE):
            await say(socket, "call_tool", request_id=f"{name}-{asked}", name="chat", arguments=arguments)  # fmt: skip
            asked += 1
        said = await hear(socket)
        if said.op == "call_tool_res":
            if not said.ok:
                raise NotMeasured(f"a chat failed: {bytes(said.error).decode()}")
            await say(socket, "ack", seq=said.seq)
            ended += 1
    return chats / (time.perf_counter() - began)


async def _their_rate(
    http: httpx2.AsyncClient, address: str, *, stream: bool, chats: int = 60
) -> float:
    message = {"role": "user", "content": _PROMPT}
    body = {"model": _MODEL, "messages": [message], "stream": stream}

    async def one_by_one() -> None:
        for _ in range(chats // _AT_ONCE):
            answer = await http.post(f"{address}/chat/completions", json=body)
            if answer.status_code != httpx2.codes.OK:
                raise NotMeasured(f"LiteLLM's proxy said {answer.status_code}: {answer.text[:300]}")

    began = time.perf_counter()
    async with trio.open_nursery() as asking:
        for _ in range(_AT_ONCE):
            asking.start_soon(one_by_one)
    return chats / (time.perf_counter() - began)


def _fetched(folder: Path) -> Path:
    """Its program, in an environment of its own there. Raises NotHere."""
    place = folder / "litellm"
    try:
        for words in (
            [sys.executable, "-m", "venv", str(place)],
            [str(place / "bin" / "pip"), "install", "-q", _PACKAGE],
        ):
            subprocess.run(words, check=True, capture_output=True, timeout=_FETCH_S)
    except subprocess.TimeoutExpired as slow:
        raise NotHere(f"pip did not fetch {_PACKAGE} within {_FETCH_S:g} s") from slow
    except subprocess.CalledProcessError as fault:
        said = fault.stderr.decode(errors="replace").strip()[-500:]
        raise NotHere(f"pip could not fetch {_PACKAGE}: {said}") from fault
    return place / "bin" / "litellm"


@contextmanager
def _service() -> Generator[str]:
    with home() as where, child([sys.executable, str(_SERVICE)], environment(where), where) as one:
        yield f"http://127.0.0.1:{int(read_line(one))}/v4"


@contextmanager
def _proxy(program: Path, origin: str) -> Generator[tuple[int, str]]:
    """It serves one model, without keys of its own and without a database. Gives its process and address."""
    port = free_port()
    with home() as where:
        settings = where / "config.yaml"
        known = {"model": f"openai/{_MODEL}", "api_base": origin, "api_key": "bench"}
        listed = {"model_list": [{"model_name": _MODEL, "litellm_params": known}]}
        settings.write_text(json.dumps(listed), encoding="utf-8")  # JSON is YAML, too
        command = [str(program), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
        env = environment(where, HOME=where, LITELLM_TELEMETRY="False", LITELLM_LOCAL_MODEL_COST_MAP="True")  # fmt: skip
        with child(command, env, where) as process:
            wait_open("LiteLLM's proxy", port, _BEGINS_S)
            yield process.pid, f"http://127.0.0.1:{port}"
