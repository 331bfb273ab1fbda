"""`cat` of a large file to a client that reads, by turns with a bare read of a pseudo-terminal and with terminado."""

import os
import pty
import subprocess
import sys
import time
import tty
import venv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from ..processes import FLOOR, NotMeasured, home
from ..report import Goal, Row, median
from .client import WAIT_S, Served, served

_PEER = "terminado==0.18.1"


def flood(*, quick: bool) -> Iterator[Row]:
    """MiB each second."""
    size, turns = (8 if quick else 64) * 2**20, 2 if quick else 5
    bare: list[float] = []
    mine: list[float] = []
    theirs: list[float] = []
    with home() as place, served() as daemon, _peer(place) as peer:
        file = place / "flood"
        file.write_bytes(b"x" * 79 + b"\n" + b"y" * (size - 80))
        for _ in range(turns):
            bare.append(size / _bare_read(file) / 2**20)
            mine.append(size / trio.run(_flooded, daemon, file) / 2**20)
            theirs.append(size / _peer_read(peer, file) / 2**20)
    what = f"cat {size >> 20} MiB"
    yield Row(what=f"{what}, beside a bare read", unit="MiB/s", ours=median(mine), floor=median(bare), goal=Goal("at least", 0.4, of_floor=True))  # fmt: skip
    yield Row(what=f"{what}, beside terminado", unit="MiB/s", ours=median(mine), floor=median(theirs), goal=Goal("at least", 1.5, of_floor=True))  # fmt: skip


def _bare_read(file: Path) -> float:
    pid, master = pty.fork()
    if pid == 0:
        tty.setraw(0)
        os.execvp("cat", ["cat", str(file)])
    began, left = time.perf_counter(), file.stat().st_size
    while left > 0:
        left -= len(os.read(master, 65536))
    took = time.perf_counter() - began
    os.close(master)
    os.waitpid(pid, 0)
    return took


async def _flooded(daemon: Served, file: Path) -> float:
    session = await daemon.create("/bin/sh", "-c", f"stty raw -echo; echo ready; read x; cat {file}; cat")  # fmt: skip
    size = (await trio.Path(file).stat()).st_size
    async with daemon.attached(session) as client:
        await client.until(b"ready")
        before = client.shown
        began = time.perf_counter()
        await client.type(b"\n")
        while client.shown - before < size:
            await client.read()
        took = time.perf_counter() - began
    await daemon.kill(session)
    return took


@contextmanager
def _peer(place: Path) -> Generator[Path]:
    """An environment with terminado. Raises NotMeasured where the package index cannot be had."""
    where = place / "peer"
    venv.create(where, with_pip=True)
    try:
        subprocess.run([where / "bin/pip", "install", "-q", _PEER], check=True, capture_output=True)
    except (subprocess.SubprocessError, OSError) as fault:
        raise NotMeasured(f"{_PEER}: {fault}") from fault
    yield where / "bin" / Path(sys.executable).name


def _peer_read(python: Path, file: Path) -> float:
    """Raises NotMeasured."""
    program = FLOOR / "peer_terminado.py"
    try:
        ran = subprocess.run([python, program, file], check=True, capture_output=True, text=True, timeout=WAIT_S)  # fmt: skip
    except (subprocess.SubprocessError, OSError) as fault:
        raise NotMeasured(f"{_PEER}: {fault}") from fault
    return float(ran.stdout)
