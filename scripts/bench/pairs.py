"""The two pairs that are compared, ours and the floor: a daemon, and shims that talk to it."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import attrs

from .editor import Editor
from .processes import NotMeasured, child, environment, floor, home, ours, read_line

Side = Literal["ours", "floor"]
SIDES: tuple[Side, Side] = ("ours", "floor")
IN_FLIGHT = 64


@attrs.frozen
class Daemon:
    """A daemon that serves, and how a shim of its kind is started."""

    process: subprocess.Popen[bytes]
    port: int
    shim_command: list[str]
    shim_env: dict[str, str]
    where: Path

    @contextmanager
    def editor(self) -> Generator[Editor]:
        """An editor with a shim of its own, which has been asked nothing yet."""
        with child(self.shim_command, self.shim_env, self.where) as process:
            yield Editor(process)

    @contextmanager
    def forgetful(self) -> Generator["Daemon"]:
        """The same daemon for shims that find nothing on disk, as on their very first start."""
        with home() as nowhere:
            env = self.shim_env | {"EXAI_HOME": str(nowhere)}
            yield attrs.evolve(self, shim_env=env, where=nowhere)

    @contextmanager
    def connected_editor(self, prompt: str) -> Generator[Editor]:
        """The same after its first call."""
        with self.editor() as editor:
            editor.greet()
            editor.list_tools()
            editor.check_echo(prompt)
            yield editor


ROOM = {"EXAI_WS_SESSION_MAX_INFLIGHT": IN_FLIGHT, "EXAI_WS_GLOBAL_MAX_INFLIGHT": IN_FLIGHT}


@contextmanager
def our_daemon(command: list[str] | None = None, **settings: object) -> Generator[Daemon]:
    """`exai serve` on a free port with these settings, serving; or what is started in its place."""
    with home() as where:
        env = environment(where, EXAI_WS_PORT=0, **settings)
        with child(command or ours("serve"), env, where) as process:
            port = port_in(read_line(process))
            shim_env = environment(where, EXAI_WS_PORT=port)
            yield Daemon(process, port, ours("shim"), shim_env, where)


def port_in(line: str) -> int:
    """The port in what `exai serve` prints: "exai serves: WebSocket ws://127.0.0.1:41234/, …"."""
    for word in line.replace(",", " ").split():
        port = urlsplit(word).port if word.startswith("ws://") else None
        if port:
            return port
    raise NotMeasured(f"the daemon said {line!r}, which names no WebSocket")


@contextmanager
def floor_daemon() -> Generator[Daemon]:
    with home() as where:
        env = environment(where)
        with child(floor("daemon"), env, where) as process:
            port = int(read_line(process))
            yield Daemon(process, port, floor("shim", str(port)), env, where)


@contextmanager
def both() -> Generator[dict[Side, Daemon]]:
    """A daemon of each kind, with room for the load. Ours keeps no journal, as the floor keeps none: that has its own row."""
    with our_daemon(EXAI_DURABILITY="off", **ROOM) as mine, floor_daemon() as theirs:
        yield {"ours": mine, "floor": theirs}
