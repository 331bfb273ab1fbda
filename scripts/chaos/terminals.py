"""Scenarios of terminals: daemons killed under a flood, connections dropped while somebody types, slow clients, processes that will not end.

A cycle that moved no byte is none: it is played again.
"""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import trio

from exai_trio.commands.term.terminal_requests import ask, dialled, record_in, shown_to
from exai_trio.config import Config
from exai_trio.terminal.reconnect_rules import ReconnectRules
from exai_trio.terminal.session_record import SessionRecord
from exai_trio.terminal.terminal_link import TerminalLink
from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.terminal_errors import TerminalError

from .proxy import open_proxy
from .trial import Trial
from .world import World, open_world

_ON = {"EXAI_TERMINALS": "root" if os.geteuid() == 0 else "true", "MONITORING_PORT": "0", "INCIDENTS_PORT": "0", "HEALTH_CHECK_PORT": "0"}  # fmt: skip
_LINE = 11  # bytes: nine digits, and the end of a line
_FLOOD = "import sys, time\nn = 0\nwhile True:\n    sys.stdout.write(''.join('%09d\\n' % (n + k) for k in range(500)))\n    n += 500\n    time.sleep(PAUSE)"  # fmt: skip
_ECHO = "import sys\nfor line in sys.stdin: print('<' + line.strip() + '>', flush=True)"
_STUBBORN = "nohup sleep 997 >/dev/null 2>&1 & sleep 998 & (trap '' HUP TERM; exec sleep 999) & setsid -f sleep 996; echo ready; cat"  # fmt: skip
_PATIENCE_S = 60.0


def written(offset: int, count: int) -> bytes:
    """What the flood writes there."""
    first = offset // _LINE
    lines = b"".join(b"%09d\r\n" % n for n in range(first, (offset + count) // _LINE + 1))
    return lines[offset - first * _LINE :][:count]


@attrs.define(eq=False)
class Watcher:
    """A client that checks every byte of a flood, or keeps what comes."""

    checks: bool = True
    goes_on: trio.Event | None = None
    position: int = 0
    lost_bytes: int = 0
    output: bytearray = attrs.field(factory=bytearray)
    wrong: list[str] = attrs.field(factory=list[str])

    async def show_some(self, data: bytes) -> int:
        await trio.lowlevel.checkpoint()
        if self.goes_on is not None:
            await self.goes_on.wait()
        if self.checks and data != written(self.position, len(data)):
            self.wrong.append(f"other bytes at {self.position}")
        if not self.checks:
            self.output += data
        self.position += len(data)
        return len(data)

    def lost(self, count: int) -> None:
        self.position += count
        self.lost_bytes += count

    def resized(self, cols: int, rows: int) -> None: ...

    def away(self, why: str, rules: ReconnectRules) -> None: ...

    def back(self) -> None: ...

    def refused(self, fault: TerminalError) -> None:
        self.wrong.append(str(fault))


def _config(world: World, port: int = 0) -> Config:
    return Config(home=Path(world.home, "exai"), ws_port=port or world.port)


async def _created(world: World, *command: str) -> SessionRecord:
    wish = {"command": list(command), "project_path": str(world.home)}
    return record_in(await ask(_config(world), "create", **wish))


@asynccontextmanager
async def _attached(
    world: World, record: SessionRecord, view: Watcher, port: int = 0
) -> AsyncGenerator[TerminalLink]:
    """A client with its loop, until the context is left."""
    config = _config(world, port)
    link = TerminalLink(
        dial=partial(dialled, config),
        credential=partial(shown_to, config),
        session_id=record.session_id,
        view=view,
        size=(80, 24),
        shown=0,
        door=partial(_listens, port or world.port),
    )

    async def follow() -> None:
        await link.run()

    async with trio.open_nursery() as running:
        running.start_soon(follow)
        yield link
        running.cancel_scope.cancel(reason="the client leaves")


async def _listens(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


async def _ended(world: World, record: SessionRecord) -> None:
    """End it, whatever became of it."""
    try:
        await ask(_config(world), "kill", session_id=record.session_id)
    except (TerminalError, Unreachable, PeerGone):
        os.kill(record.keeper, signal.SIGTERM)


async def _more(view: Watcher, before: int) -> bool:
    """Whether something is shown beyond `before`."""
    with trio.move_on_after(_PATIENCE_S):
        await trio.lowlevel.checkpoint()
        while view.position <= before:  # noqa: ASYNC110  # another task's
            await trio.sleep(0.002)
        return True
    return False


async def terminal_kill(trial: Trial) -> None:
    """kill -9 of the daemon under a flood: no byte is lost or repeated, and what is missing was told."""
    async with open_world(forked=trial.forked, **_ON) as world:
        daemon = await world.daemon()
        record = await _created(world, sys.executable, "-u", "-c", _FLOOD.replace("PAUSE", "0.001"))
        view, moved = Watcher(), 0
        try:
            async with _attached(world, record, view):
                for _ in trial.rounds():
                    before = view.position
                    trial.hold(await _more(view, before), "the flood does not come")
                    await trio.sleep(trial.random.uniform(0, 0.05))
                    await daemon.kill()
                    trial.kills += 1
                    daemon = await world.daemon()
                    listening, before = trio.current_time(), view.position
                    trial.hold(await _more(view, before), "it does not come back")
                    trial.figure("listening to usable, s", trio.current_time() - listening)
                    moved = view.position
        finally:
            with trio.move_on_after(_PATIENCE_S, shield=True):
                await _ended(world, record)
        trial.hold(not view.wrong, f"wrong: {view.wrong[:3]}")
        trial.notes.append(f"{moved} bytes shown, {view.lost_bytes} told as lost")


async def terminal_drop(trial: Trial) -> None:
    """Connections are cut while somebody types: each line reaches the program once, in order."""
    async with open_world(**_ON) as world, open_proxy(world.port) as proxy:
        await world.daemon()
        record = await _created(world, sys.executable, "-u", "-c", _ECHO)
        view = Watcher(checks=False)
        try:
            async with _attached(world, record, view, proxy.port) as link:
                for number in trial.rounds():
                    before = view.position
                    link.type(b"line %d\r" % number)
                    await trio.sleep(trial.random.uniform(0, 0.01))
                    proxy.cut()
                    wanted = b"<line %d>" % number
                    with trio.move_on_after(_PATIENCE_S):
                        await trio.lowlevel.checkpoint()
                        while wanted not in view.output:  # noqa: ASYNC110  # another task's
                            await trio.sleep(0.002)
                    trial.hold(view.position > before, "nothing moved")
                trial.hold(trial.cycles < 3 or link.connections > 1, "no connection was cut")
        finally:
            with trio.move_on_after(_PATIENCE_S, shield=True):
                await _ended(world, record)
        heard = [part.partition(b">")[0] for part in bytes(view.output).split(b"<")[1:]]
        typed = [b"line %d" % number for number in range(1, trial.done + 1)]
        trial.hold(heard == typed, f"typed {len(typed)} lines, and the program has {len(heard)}")
        trial.hold(not view.wrong, f"wrong: {view.wrong[:3]}")


async def terminal_slow(trial: Trial) -> None:
    """One client shows nothing: the others go on within 10 s, and it hears the exact gap once it goes on."""
    async with open_world(**_ON) as world:
        await world.daemon()
        record = await _created(world, sys.executable, "-u", "-c", _FLOOD.replace("PAUSE", "0"))
        quick = Watcher()
        try:
            async with _attached(world, record, quick):
                for _ in trial.rounds():
                    slow, before = Watcher(goes_on=trio.Event()), quick.position
                    async with _attached(world, record, slow):
                        began = trio.current_time()
                        with trio.move_on_after(_PATIENCE_S):
                            await trio.lowlevel.checkpoint()
                            while quick.position < before + 3 * 2**22:  # noqa: ASYNC110  # another task's
                                await trio.sleep(0.05)
                        trial.figure("held by a slow client, s", trio.current_time() - began)
                        slow.goes_on.set()
                        seen = slow.position + 2**20
                        trial.hold(await _more(slow, seen), "the slow client does not go on")
                        with trio.move_on_after(_PATIENCE_S):  # what was on its way comes first
                            await trio.lowlevel.checkpoint()
                            while not slow.lost_bytes:  # noqa: ASYNC110  # another task's
                                await trio.sleep(0.05)
                    trial.hold(slow.lost_bytes > 0, "the slow client heard of no gap")
                    trial.hold(not slow.wrong, f"wrong: {slow.wrong[:3]}")
                    trial.hold(quick.position > before + 2**22, "a slow client holds the other")
        finally:
            with trio.move_on_after(_PATIENCE_S, shield=True):
                await _ended(world, record)
        trial.hold(not quick.wrong, f"wrong: {quick.wrong[:3]}")


async def terminal_orphans(trial: Trial) -> None:
    """A session is killed whose processes ignore that, or have left it: none is left."""
    async with open_world(**_ON) as world:
        await world.daemon()
        for _ in trial.rounds():
            record = await _created(world, "/bin/sh", "-c", _STUBBORN)
            view = Watcher(checks=False)
            async with _attached(world, record, view):
                trial.hold(await _more(view, 0), "nothing is shown")
                before = await _counted(record, lambda count: count >= 5)
                trial.hold(before >= 5, f"only {before} processes were there")
                began = trio.current_time()
                await _ended(world, record)
                await _counted(record, lambda count: not count)
                trial.figure("kill to nothing left, s", trio.current_time() - began)
            trial.hold(
                not _processes_of(record), f"{len(_processes_of(record))} processes are left"
            )


async def _counted(record: SessionRecord, is_right: Callable[[int], bool]) -> int:
    """How many processes the session has, once that is right or patience has ended."""
    with trio.move_on_after(_PATIENCE_S):
        await trio.lowlevel.checkpoint()
        while not is_right(len(_processes_of(record))):  # noqa: ASYNC110  # other processes
            await trio.sleep(0.05)
    return len(_processes_of(record))


def _processes_of(record: SessionRecord) -> list[str]:
    mark = f"EXAI_TERM={record.session_id}\0".encode()
    return [
        path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
