"""Reads sources in a process of their own, started for each trace and bounded in time and memory.

Whatever the sources are, each gets an answer: a file that the process takes too long for, or dies of, is named with that as its
fault, and another process goes on with those behind it.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import trio

import exai_trio
from exai_trio import structs
from exai_trio.tools.workflow.tracing import languages
from exai_trio.tools.workflow.tracing.sources import Source

Text = tuple[str, str]  # path, content

_CHUNK = 65_536
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from exai_trio.tools.workflow.tracing.parse_process import main; main(int(sys.argv[2]))"
)
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
_TOO_LATE = Source(fault="not reached in the time for one trace; name fewer files")


@structs.frozen(kw_only=True)
class Limits:
    """Seconds for one file and for all; bytes that the process may use."""

    file_s: float = 10.0  # a bound on hostile sources, nobody's choice
    all_s: float = 30.0  # a bound on hostile sources, nobody's choice
    memory: int = 768 * 1024 * 1024


async def read(texts: Sequence[Text], limits: Limits) -> list[Source]:
    """What each of these texts says about itself, in their order. Cancelling kills the process."""
    asked = [(languages.suffix(path), text) for path, text in texts]
    found: list[Source] = []
    with trio.move_on_after(limits.all_s):
        await _read_all(asked, found, limits)
    return found + [_TOO_LATE] * (len(asked) - len(found))


async def _read_all(asked: Sequence[Text], found: list[Source], limits: Limits) -> None:
    while len(found) < len(asked):
        fault = await _read(asked, found, limits)
        if fault:
            found.append(Source(fault=fault))


async def _read(asked: Sequence[Text], found: list[Source], limits: Limits) -> str:
    """Let one process read on, and add what it finds. Returns why it could not read the next file, or ""."""
    fault = ""
    command = [sys.executable, "-I", "-c", _PROGRAM, _root(), str(limits.memory)]
    running = partial(
        trio.run_process,
        command,
        stdin=msgspec.json.encode(asked[len(found) :]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        env=_ENVIRONMENT,
        deliver_cancel=_kill,
    )
    try:
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(running)
            if process.stdout is not None:
                async with process.stdout as heard:
                    fault = await _hear(heard, len(asked), found, limits.file_s)
            nursery.cancel_scope.cancel(reason="all is read, or the next file cannot be")
    except* OSError:
        fault = "no process could be started to parse it"
    return fault


async def _hear(
    heard: trio.abc.ReceiveStream, wanted: int, found: list[Source], file_s: float
) -> str:
    """Add what the process says until it has said `wanted`. Returns why it did not, or ""."""
    buffer = bytearray()
    while len(found) < wanted:
        chunk = None
        with trio.move_on_after(file_s):
            chunk = await heard.receive_some(_CHUNK)
        if chunk is None:
            return f"takes longer than {file_s:g} s to parse"
        if not chunk:
            return "more than the parser can take; nested too deeply, perhaps"
        *lines, rest = (buffer + chunk).split(b"\n")
        buffer = rest
        found += (msgspec.json.decode(line, type=Source) for line in lines)
    return ""


async def _kill(process: trio.Process) -> None:
    process.kill()


def _root() -> str:
    """Where this package is, for an interpreter that looks nowhere else."""
    return str(Path(exai_trio.__file__).parents[1])
