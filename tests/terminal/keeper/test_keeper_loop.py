"""The keeper's loop in this process: a real pseudo-terminal without a program behind it, and a daemon that acts once a turn."""

import os
import signal
import socket
import time
import tty

import attrs
import pytest

from exai_trio.terminal.keeper import keeper_frames, keeper_loop, keeper_socket
from exai_trio.terminal.keeper.keeper_loop import KeeperLoop
from exai_trio.terminal.keeper.kept_session import KeptSession, Times
from exai_trio.terminal.keeper.pty_program import PtyProgram

PROGRAM = 2**22 + 1  # no process has this number
RECORD = {"session_id": "s", "type": "shell", "tab_name": "one"}


@attrs.define
class Daemon:
    """One connection, as its daemon sees it: `shown` is the output, `told` are the texts."""

    socket: socket.socket
    shown: bytes = b""
    told: list = attrs.field(factory=list)
    is_over: bool = False
    _reader: keeper_frames.FrameReader = attrs.field(factory=keeper_frames.FrameReader)

    def ask(self, op, **fields):
        self.socket.send(keeper_frames.text({"op": op, **fields}))

    def attach(self, **fields):
        self.ask("attach", **{"client_id": "a", "cols": 80, "rows": 24, "mode": "rw"} | fields)

    def hear(self):
        """The operations heard so far, those of errors by their code."""
        while not self.is_over:
            try:
                data = self.socket.recv(65_536)
            except BlockingIOError:
                break
            self.is_over = not data
            for kind, payload in self._reader.feed(data):
                if kind == keeper_frames.OUTPUT:
                    self.shown += keeper_frames.numbered(payload)[1]
                else:
                    self.told.append(keeper_frames.fields_of(payload))
        return [told.get("code", told["op"]) for told in self.told]


@attrs.define
class Kept:
    """A loop whose every turn goes on with `script`; what that yields, if anything, is the program's exit."""

    loop: KeeperLoop
    session: KeptSession
    far: int
    script: object = None
    daemons: list = attrs.field(factory=list)

    def connected(self):
        found = Daemon(socket.socket(socket.AF_UNIX))
        self.daemons.append(found)
        found.socket.connect("sock")
        found.socket.setblocking(False)
        return found

    def run(self, script):
        self.script = script
        self.loop.run()
        assert next(script, "done") == "done", "the loop has ended before its script"

    def turn(self):
        code = next(self.script, None)
        return {} if code is None else {PROGRAM: code}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near, far = os.openpty()
    os.set_blocking(near, False)
    session = KeptSession(100_000, Times(10.0, 3600.0, 60.0), (80, 24), time.monotonic())
    listener = keeper_socket.bind("sock")
    kept = Kept(
        KeeperLoop(session, PtyProgram(near, PROGRAM), dict(RECORD), listener), session, far
    )
    monkeypatch.setattr(keeper_loop, "reap", kept.turn)
    monkeypatch.setattr(keeper_loop, "descendants", lambda _: [])
    monkeypatch.setattr(keeper_loop.Ending, "step", lambda *_: None)
    with listener, kept.loop._selector:
        yield kept
    for one in (
        *(each.socket for each in kept.daemons),
        *(each.connection for each in kept.loop.peers),
    ):
        one.close()
    os.close(near)


def until(condition, daemon):
    """Turns until that is so; each wakes the loop for another."""
    while not condition():
        daemon.ask("describe")
        yield


def farewell(kept, daemon):
    """The program ends, and its daemon confirms that it has heard so: that ends the loop."""
    os.close(kept.far)
    yield 3
    yield from until(lambda: "exited" in daemon.hear(), daemon)
    daemon.ask("ack", offset=len(daemon.shown), exited=True)


def test_what_is_typed_comes_to_the_program_and_its_output_to_the_daemon(kept):
    daemon, seen = kept.connected(), []

    def script():
        tty.setraw(kept.far)
        daemon.attach(cols=100, rows=30)
        yield from until(lambda: "attached" in daemon.hear(), daemon)
        daemon.socket.send(keeper_frames.typed(1, b"ls\n"))
        yield from until(lambda: "taken" in daemon.hear(), daemon)
        seen.extend([os.read(kept.far, 100), os.get_terminal_size(kept.far)])
        os.write(kept.far, b"a  b\n")
        yield from until(lambda: daemon.hear() and daemon.shown, daemon)
        yield from farewell(kept, daemon)

    kept.run(script())

    assert [b"ls\n", os.terminal_size((100, 30))] == seen
    assert b"a  b\n" == daemon.shown
    assert 3 == next(told for told in daemon.told if told["op"] == "exited")["status"]


WRONG = {
    "no such request": {"op": "dance"},
    "attach first": {"op": "ack", "offset": 1},
    "client_id": {"op": "attach"},
    "offset must be": {"op": "attach", "client_id": "b", "offset": "x"},
    "columns and rows": {"op": "attach", "client_id": "b", "cols": 0, "rows": 1},
    "signals are": {"op": "signal", "name": "SIGSTOP"},
    "a name has": {"op": "rename", "tab_name": 3},
}


def test_what_cannot_be_done_is_said_to_its_sender_alone(kept):
    daemon, other = kept.connected(), kept.connected()

    def script():
        daemon.attach()
        for fields in WRONG.values():
            other.ask(**fields)
        other.socket.send(keeper_frames._framed(keeper_frames.TEXT, b"[]"))
        other.socket.send(keeper_frames.typed(1, b"x"))
        yield from until(lambda: other.hear().count("INVALID_REQUEST") == len(WRONG) + 2, daemon)
        other.attach(client_id="b", mode="ro")
        other.ask("kill")
        other.ask("clear")
        other.ask("signal", name="INT")
        yield from until(lambda: other.hear().count("NOT_ALLOWED") == 3, daemon)
        other.socket.send(b"\xff" * 8)  # no frame: it is not heard any more
        yield from until(lambda: other.hear() and other.is_over, daemon)
        yield from farewell(kept, daemon)

    kept.run(script())

    said = [told["message"] for told in other.told if told["op"] == "error"]
    assert [True] * len(WRONG) == [any(why in text for text in said) for why in WRONG]
    assert "error" not in {told["op"] for told in daemon.told}


def test_a_watcher_hears_of_names_and_of_who_comes_and_goes(kept):
    watcher, daemon, last = kept.connected(), kept.connected(), kept.connected()

    def described():
        watcher.hear()
        return [
            (told["tab_name"], told["clients"])
            for told in watcher.told
            if told["op"] == "described"
        ]

    def script():
        watcher.ask("watch")
        watcher.ask("rename", tab_name="two")
        daemon.attach()
        yield from until(lambda: ("two", 1) in described(), daemon)
        daemon.socket.close()
        yield from until(lambda: ("two", 0) == described()[-1], watcher)
        last.attach()
        yield from until(lambda: "attached" in last.hear(), last)
        yield from farewell(kept, last)

    kept.run(script())

    assert ("two", 1) == described()[-1]
    assert "ended" == watcher.told[-1]["state"]


@pytest.mark.parametrize(
    ("code", "told"),
    [(0, {"status": 0}), (-signal.SIGKILL, {"signal": "SIGKILL"}), (-99, {"signal": "SIG99"})],
)
def test_an_exit_is_told_as_a_status_or_by_its_signal(code, told):
    assert told == keeper_loop._told(code)
