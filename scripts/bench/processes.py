"""Child processes of the benchmark: how they start, what they weigh, and that none outlives it. What is measured is elsewhere."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

FLOOR = Path(__file__).parent
PATIENCE_S = 30.0  # for anything a child should do at once
_LEAVE_S = 5.0


class NotMeasured(Exception):
    """Something that the measurement needs did not happen; the text says what."""


class NotHere(NotMeasured):
    """Something that this machine does not have: what needs it is skipped, and the text says why."""


@contextmanager
def home() -> Generator[Path]:
    """An EXAI_HOME of our own, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="exai-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment(home: Path, **settings: object) -> dict[str, str]:
    """The environment of a child: ours without any EXAI setting, and these. PYTHONPATH says whose package is measured."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    quiet = {
        "EXAI_HOME": str(home),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
    }
    return kept | quiet | {name: str(value) for name, value in settings.items()}


_KEPT = frozenset(
    {
        "HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR", "USER", "VIRTUAL_ENV",
        "COVERAGE_PROCESS_CONFIG",  # so that scripts/dead_code sees what a daemon runs
    }
)  # fmt: skip


def ours(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "exai_trio", *words]


def floor(name: str, *words: str) -> list[str]:
    return [sys.executable, str(FLOOR / f"floor_{name}.py"), *words]


@contextmanager
def child(
    command: Sequence[str], env: dict[str, str], cwd: Path
) -> Generator[subprocess.Popen[bytes]]:
    """A child with pipes for stdin and stdout, ended with the context. Its stderr is kept to explain a failure."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            bufsize=0,
            env=env,
            cwd=cwd,  # where no .env lies
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        try:
            yield process
        except NotMeasured as fault:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip() or "nothing"
            state = "lives" if process.poll() is None else f"has ended with {process.returncode}"
            name = " ".join(command[1:])
            raise NotMeasured(f"{fault}\n{name} {state}, and said {said[-2000:]}") from fault
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Close its stdin, then terminate, then kill."""
    pipes = [pipe for pipe in (process.stdin, process.stdout) if pipe is not None]
    for pipe in pipes:
        with contextlib.suppress(OSError):
            pipe.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)
            return


def read_line(process: subprocess.Popen[bytes]) -> str:
    """The next line on its stdout. Raises NotMeasured if none comes."""
    if process.stdout is None or not select.select([process.stdout], [], [], PATIENCE_S)[0]:
        raise NotMeasured(f"the child said nothing within {PATIENCE_S:g} s")
    line = process.stdout.readline()
    if not line:
        raise NotMeasured("the child ended before it served")
    return line.decode().strip()


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def wait_open(who: str, port: int, patience_s: float = PATIENCE_S) -> None:
    """Return when something listens there. Raises NotMeasured."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise NotMeasured(f"{who} does not listen")


def at_work_s(pid: int) -> float:
    """What all its threads have had of a processor, also those that have ended."""
    return time.clock_gettime(~pid << 3 | _ALL_THREADS)  # so Linux names another process's clock


_ALL_THREADS = 2


@attrs.frozen
class Weight:
    """Bytes of memory that a process holds: all that is resident, and what it shares with nobody."""

    resident: int
    own: int


def weight(pid: int) -> Weight:
    return Weight(_kilobytes(pid, "status", "VmRSS"), _kilobytes(pid, "smaps_rollup", "Private"))


def _kilobytes(pid: int, file: str, field: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def settled_weight(pid: int) -> Weight:
    """The weight once it has not changed for half a second."""
    last, since = weight(pid), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = weight(pid)
        if abs(now.resident - last.resident) > 65_536:
            last, since = now, time.monotonic()
    return weight(pid)
