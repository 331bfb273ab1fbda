"""Loads what a daemon loads, then forks one for each order on its stdin, a Unix socket: `exai` with these words, this
environment and directory, and the two descriptors that come along as stdout and stderr. The answer is the process id, with a
descriptor of the process, which is not let go before that is open: one that soon ends is known too."""

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from exai_trio.cli import main

_LOADED = (
    "exai_trio.commands.serve",
    "httpx2",
    "openai",
    "openai.resources.chat.completions",
)
_MOST = 1 << 20  # bytes of one order
_PR_SET_PDEATHSIG = 1


def serve(orders: socket.socket) -> None:
    """Until nobody can give an order any more."""
    for name in _LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone
    while True:
        said, descriptors, _, _ = socket.recv_fds(orders, _MOST, 2)
        if not said:
            return
        held, letting_go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(letting_go)
            os.read(held, 1)
            os.close(held)
            _become(json.loads(said), descriptors)
        process = os.pidfd_open(pid)
        socket.send_fds(orders, [str(pid).encode()], [process])
        for one in (*descriptors, process, held, letting_go):
            os.close(one)


def _become(order: dict[str, Any], descriptors: list[int]) -> NoReturn:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # it ends with this server
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(os.open(os.devnull, os.O_RDONLY), *descriptors)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        code = main(order["words"])
    finally:
        os._exit(code)


def _redirect(*descriptors: int) -> None:
    """These are stdin, stdout and stderr now, for Python too: its old ones know what files they were opened on."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # open to the end
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115  # the same


if __name__ == "__main__":
    serve(socket.socket(fileno=os.dup(0)))
