"""A keeper's process and a daemon's connection to it, for tests that wait for conditions and never for time."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs

from exai_trio.terminal.keeper import keeper_frames

PROGRAM = Path(keeper_frames.__file__).with_name("keeper.py")
PATIENCE_S = 60.0


def wait_until(condition, what="the condition"):
    """What the condition gives, once that is true."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < ends, f"{what} did not come true"
        time.sleep(0.01)
    return found


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in b"ZX"


@attrs.define
class Kept:
    """A running session: its keeper, and the program that it keeps."""

    folder: Path
    session_id: str
    pid: int
    keeper: int
    connections: list = attrs.field(factory=list)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        place = os.open(self.folder, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{place}/{self.session_id}.sock")
        finally:
            os.close(place)
        self.connections.append(connection)
        return Connection(connection)

    def attach(self, client="a", **fields):
        found = self.connect()
        found.ask("attach", client_id=client, **{"cols": 80, "rows": 24, "mode": "rw"} | fields)
        return found

    def is_gone(self):
        return not is_alive(self.keeper) and not (self.folder / f"{self.session_id}.sock").exists()


@attrs.define
class Connection:
    """What a daemon would hear, gathered: all output by offset, all texts in order."""

    socket: socket.socket
    output: bytearray = attrs.field(factory=bytearray)
    begins: int | None = None
    texts: list = attrs.field(factory=list)
    is_over: bool = False
    acknowledges: bool = True
    _reader: keeper_frames.FrameReader = attrs.field(factory=keeper_frames.FrameReader)

    def ask(self, op, **fields):
        self.socket.sendall(keeper_frames.text({"op": op, **fields}))

    def type(self, sequence, data):
        self.socket.sendall(keeper_frames.typed(sequence, data))

    def pump(self):
        """Take what comes within a moment."""
        self.socket.settimeout(0.02)
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.is_over |= not data
        for kind, payload in self._reader.feed(data):
            if kind == keeper_frames.TEXT:
                self.texts.append(json.loads(payload))
                continue
            offset, piece = keeper_frames.numbered(payload)
            self.begins = offset if self.begins is None else self.begins
            assert offset == self.begins + len(self.output)
            self.output += piece
        if self.acknowledges and self.output:
            try:
                self.ask("ack", offset=self.begins + len(self.output))
            except OSError:
                self.is_over = True

    def wait(self, condition, what="what was waited for"):
        def look():
            self.pump()
            return condition()

        return wait_until(look, f"{what} ({self.texts[-3:]}, {bytes(self.output[-200:])})")

    def wait_output(self, part):
        self.wait(lambda: part in self.output, repr(part))

    def wait_text(self, op, **fields):
        def find():
            wanted = {"op": op, **fields}
            return next((one for one in self.texts if wanted.items() <= one.items()), None)

        return self.wait(find, f"{op} {fields}")

    def close(self):
        self.socket.close()


class RealKeepers:
    """Keepers in one folder; whoever leaves ends them all."""

    def __init__(self, folder):
        self.folder = folder
        self.all = []

    def __enter__(self):
        self.folder.mkdir(mode=0o700, parents=True)
        return self

    def start(self, *words, **changes):
        said = self.ask(*words, **changes)
        assert "pid" in said, said
        found = Kept(self.folder, said["session_id"], said["pid"], said["keeper"])
        self.all.append(found)
        return found

    def ask(self, *words, **changes):
        """What a keeper says that was told to run these words."""
        session_id = f"session_{time.time_ns() // 10**6}_{secrets.token_hex(8)}"
        record = {"session_id": session_id, "type": "system", "tab_name": "one"}
        spec = {
            "folder": str(self.folder),
            "record": record,
            "file": words[0],
            "words": list(words),
            "cwd": "/",
            "variables": {"PATH": os.environ["PATH"], "TERM": "xterm"},
            "cols": 80,
            "rows": 24,
            "ring_bytes": 1 << 22,
            "hold_s": 10.0,
            "idle_s": 3600.0,
            "linger_s": 60.0,
        } | changes
        done = subprocess.run(
            [sys.executable, "-I", "-S", PROGRAM, session_id],
            input=json.dumps(spec).encode(),
            capture_output=True,
            env={},
            check=True,
        )
        return json.loads(done.stdout) | {"session_id": session_id}

    def __exit__(self, *_):
        for one in self.all:
            for connection in one.connections:
                connection.close()
            if is_alive(one.keeper):
                os.kill(one.keeper, signal.SIGTERM)
        for one in self.all:
            wait_until(lambda one=one: not is_alive(one.pid), "the program's end")
            if is_alive(one.keeper):
                os.kill(one.keeper, signal.SIGKILL)
