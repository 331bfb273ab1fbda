"""How long somebody at a shell waits: for TAB, for help beside --version, and for the first byte of an answer in a pipe."""

import os
import pty
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import trio

from .pairs import our_daemon
from .peer import connection, greet, hear, run, say
from .processes import NotMeasured, environment, home, ours
from .report import Goal, Row, median

_LINES = ("exai st", "exai call chat pr", "exai ask -m glm", "exai threads show ")
# A model that thinks first, and then speaks for a while.
_PROMPT = "Say something. [[simulate: delay=1.5 tokens=60 drip=0.02]]"


def tab(*, quick: bool) -> Iterator[Row]:
    """As bash's script asks. The slowest of some lines counts; a start of Python alone is what nobody can save."""
    rounds = 3 if quick else 15
    with home() as where:
        env = environment(where)
        for line in _LINES:
            asked = _asking(line, env)
            waits, bare = _by_turns(
                [
                    lambda asked=asked: _run(ours(), asked, where),
                    lambda: _run([ours()[0], "-c", "pass"], env, where),
                ],
                rounds,
            )
            yield Row(
                what=f"TAB after {line!r}, p50",
                unit="ms",
                ours=median(waits) * 1000,
                floor=median(bare) * 1000,
                goal=Goal("at most", 150),
            )


def _asking(line: str, env: dict[str, str]) -> dict[str, str]:
    return env | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull,
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }


def help_(*, quick: bool) -> Iterator[Row]:
    """Beside --version, by turns: into a pipe, and on a terminal, where rich draws it."""
    rounds = 5 if quick else 31
    with home() as where:
        env = environment(where, TERM="xterm-256color")
        for place, show in (("a pipe", _run), ("a terminal", _run_on_terminal)):
            waits, floor = _by_turns(
                [
                    lambda show=show: show(ours("--help"), env, where),
                    lambda show=show: show(ours("--version"), env, where),
                ],
                rounds,
            )
            yield Row(
                what=f"--help in {place}, p50",
                unit="ms",
                ours=median(waits) * 1000,
                floor=median(floor) * 1000,
                goal=Goal("at most", 1.5, of_floor=True),
            )


def first_byte(*, quick: bool) -> Iterator[Row]:
    """`exai ask` in a pipe, from its start, beside a client that is connected already, from its call to the first chunk."""
    rounds = 2 if quick else 7
    with our_daemon(EXAI_SIMULATE="true") as daemon:
        command = [*ours("ask", _PROMPT), "--port", str(daemon.port)]
        env = daemon.shim_env
        waits, floor = _by_turns(
            [
                lambda: _first_byte(command, env, daemon.where),
                lambda: run(_first_chunk, daemon.port),
            ],
            rounds,
        )
        yield Row(
            what="ask in a pipe: first byte, beside the first chunk, p50",
            unit="ms",
            ours=median(waits) * 1000,
            floor=median(floor) * 1000,
            goal=Goal("at most", 1.2, of_floor=True),
        )


def _by_turns(measures: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """The seconds of each, taken one after the other, so that what else the machine does meets all of them."""
    for measure in measures:
        measure()
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [list(column) for column in zip(*taken, strict=True)]


def _run(command: Sequence[str], env: dict[str, str], where: Path) -> float:
    began = time.perf_counter()
    ran = subprocess.run(
        command, env=env, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ran.returncode:
        raise NotMeasured(ran.stderr.decode())
    return time.perf_counter() - began


def _run_on_terminal(command: Sequence[str], env: dict[str, str], where: Path) -> float:
    near, far = pty.openpty()
    try:
        began = time.perf_counter()
        subprocess.run(
            command,
            env=env,
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=far,
            stderr=far,
            check=True,
        )
        return time.perf_counter() - began
    finally:
        os.close(far)
        os.close(near)


def _first_byte(command: Sequence[str], env: dict[str, str], where: Path) -> float:
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=env, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        first = running.stdout.read(1)
        took = time.perf_counter() - began
        running.stdout.read()
    if not first or running.returncode:
        raise NotMeasured("exai ask gave no answer")
    return took


async def _first_chunk(port: int) -> float:
    async with connection(port) as socket:
        await greet(socket)
        began = trio.current_time()
        await say(
            socket,
            "call_tool",
            request_id="first",
            name="chat",
            arguments={"prompt": _PROMPT},
            stream=True,
        )
        took = 0.0
        while (said := await hear(socket)).op != "call_tool_res":
            if said.op == "stream_chunk" and not took:
                took = trio.current_time() - began
    if not (said.ok and took):
        raise NotMeasured(f"the call gave no chunk: {said}")
    return took
