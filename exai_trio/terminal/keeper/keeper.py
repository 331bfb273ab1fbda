"""The program of one keeper: reads from stdin what it is to keep, says on stdout whether that runs, and stays until it is over.

It is started as `python -I -S keeper.py SESSION_ID` and leaves its parent at once: a daemon that ends, however it ends, is
nothing to it. Standard library only.
"""

import json
import os
import socket
import sys
import time
from typing import Any

if __name__ == "__main__":
    # Nothing is found by itself here: no folder of the script, no site-packages.
    sys.path.insert(0, os.path.abspath(__file__).rsplit(os.sep, 4)[0])

from exai_trio.terminal.keeper import keeper_socket
from exai_trio.terminal.keeper.descendants import adopt_orphans
from exai_trio.terminal.keeper.keeper_loop import KeeperLoop
from exai_trio.terminal.keeper.kept_session import KeptSession, Times
from exai_trio.terminal.keeper.pty_program import Command, start


def main() -> None:
    spec = json.loads(sys.stdin.buffer.read())
    if os.fork():  # the daemon waits for us, and is not to wait for the session
        os._exit(0)
    os.setsid()
    os.chdir(spec["folder"])
    adopt_orphans()
    name = spec["record"]["session_id"] + ".sock"
    try:
        listener = keeper_socket.bind(name)
    except OSError as fault:
        _report({"fault": fault.errno, "what": "socket"})
        return
    try:
        refused = _keep(spec, listener)
    finally:
        keeper_socket.remove(name)
    if refused is not None:  # told once nothing is left
        _report({"fault": refused.errno, "what": refused.filename or "pty"})


def _keep(spec: dict[str, Any], listener: socket.socket) -> OSError | None:
    """Start the program and stay with it to its end; or why it cannot be started."""
    size = spec["cols"], spec["rows"]
    command = Command(spec["file"], spec["words"], spec["cwd"], spec["variables"])
    try:
        program = start(command, size)
    except OSError as fault:
        return fault
    record = spec["record"] | {"pid": program.pid}
    times = Times(spec["hold_s"], spec["idle_s"], spec["linger_s"])
    session = KeptSession(spec["ring_bytes"], times, size, time.monotonic())
    loop = KeeperLoop(session, program, record, listener)
    loop.take_signals()
    _report({"pid": program.pid, "keeper": os.getpid()})
    loop.run()
    return None


def _report(said: dict[str, object]) -> None:
    """Tell the daemon, and close what it hears us by."""
    os.write(1, json.dumps(said).encode())
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


if __name__ == "__main__":
    main()
