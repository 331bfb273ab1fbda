"""A program that is killed while it writes."""

import signal
import subprocess
import sys
from pathlib import Path

import trio

HERE = str(Path(__file__).parent)


async def killed_midway(program, path):
    """The numbers that `program` printed until kill -9 found it. It is started with `path` and this folder."""
    return await trio.to_thread.run_sync(_killed_midway, program, path)


def _killed_midway(program, path):
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), HERE], stdout=subprocess.PIPE, text=True
    ) as child:
        heard = [child.stdout.readline() for _ in range(200)]
        child.send_signal(signal.SIGKILL)
        heard += child.stdout.readlines()
    return [int(line) for line in heard if line.endswith("\n")]
