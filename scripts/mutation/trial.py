"""One mutant tried in a process of its own, forked from this one, which has loaded the libraries already."""

import gc
import importlib
import math
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import attrs

from .loading import load_instead
from .operators import Mutant, planted

Verdict = Literal["killed", "too slow", "too much written", "survived"]
_JUDGE_FAILED = 99
_LIBRARIES = (
    "attrs",
    "msgspec",
    "trio.testing",
    "trio_websocket",
    "xxhash",
)  # no plugin of pytest's
_MEMORY = 4 * 2**30  # bytes; a mutant that never ends its loop may fill a list
_FILE = 2**29  # bytes of one file; tests write less than half of that
_WRITTEN = 2**30  # bytes in all; a mutant may write for ever, and the disk is everybody's
_BUSY = 6  # so much longer than its processor time may a trial take on a machine that others use


@attrs.define
class Trial:
    """A mutant under test, or nothing at all. `until` is in seconds of the monotonic clock."""

    mutant: Mutant | None
    pid: int
    until: float
    began: float = attrs.field(factory=time.monotonic)

    def verdict(self) -> Verdict | None:
        """None while it runs. A mutant that takes too long is noticed as one that fails. Raises RuntimeError if there is none to be had."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if done and os.waitstatus_to_exitcode(status) == _JUDGE_FAILED:
            raise RuntimeError(f"whoever judges has failed: {self.mutant}")
        if done and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return "too slow"
        if done:
            return "survived" if status == 0 else "killed"
        if time.monotonic() > self.until:
            self.kill()
            return "too slow"
        if _written(self.pid) > _WRITTEN:
            self.kill()
            return "too much written"
        return None

    def kill(self) -> None:
        """End it, and every process that it has started."""
        with suppress(ProcessLookupError, ChildProcessError):  # it has ended and was waited for
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _written(pid: int) -> int:
    """Bytes that this process has written, with those of its children that have ended; 0 if the system does not tell."""
    try:
        told = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(told.split("wchar:")[1].split()[0])


def load_libraries() -> None:
    """In the process from which mutants are forked, so that none of them does."""
    for name in _LIBRARIES:
        importlib.import_module(name)


def started(mutant: Mutant | None, judge: Callable[[], int], limit_s: float) -> Trial:
    """Fork; the child loads the mutant's module changed, judges it, and ends with 0 if nothing was noticed. It has `limit_s` of processor
    time, so that a busy machine makes none too slow. Without a mutant nothing is changed."""
    gc.collect()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)  # a group of its own, so that all that it starts ends with it
        seconds = math.ceil(limit_s)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        _run(mutant, judge)
    return Trial(mutant, pid, time.monotonic() + _BUSY * limit_s)


def _run(mutant: Mutant | None, judge: Callable[[], int]) -> None:
    code, stderr = _JUDGE_FAILED, os.dup(2)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
        _silence()
        if mutant is not None:
            _load_changed(mutant)
        code = min(judge(), 1)
    finally:
        if code == _JUDGE_FAILED:
            os.write(stderr, traceback.format_exc().encode())
        os._exit(code)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _load_changed(mutant: Mutant) -> None:
    target = str(Path(mutant.path).resolve())
    source = Path(target).read_text(encoding="utf-8")
    load_instead({target: compile(planted(source, mutant), target, "exec", dont_inherit=True)})
