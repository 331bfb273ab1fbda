"""The seven steps that an editor's agent goes through, and what must hold after each: the model heard the answer and no error,
and no call runs for nobody.
"""

import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio
from chaos.children import NotStarted
from chaos.provider import fetch
from chaos.world import World

from .agents import Agent
from .model import Model

_ANSWERED_S = 60.0
_STREAM_S = 75
_SHORT_S = 8
_WORDS_A_SECOND = 5
_QUIET_S = 10.0  # for a call that nobody waits for to be gone


class Broken(Exception):
    """A promise that did not hold; the text is for the report."""


@attrs.define(eq=False)
class Desk:
    """One editor at work: its agent, the script of its model, its daemon's world."""

    agent: Agent
    model: Model
    world: World
    _marks: int = 0

    async def ask(self, seconds: int = 0) -> str:
        """Begin a turn in which the agent calls `chat`, whose answer streams for so long. Returns how the answer ends."""
        self._marks += 1
        mark = f"mark-{self._marks}"
        self.model.forget()
        words = seconds * _WORDS_A_SECOND
        shape = f"tokens={words} drip={1 / _WORDS_A_SECOND}"
        prompt = f"{mark} [[simulate: {shape}]]" if seconds else mark
        arguments = {"prompt": prompt, "model": "glm-4.5-flash", "use_websearch": False}
        step = {"tool": "chat", "arguments": arguments}
        await self.agent.say(f"EXAI-STEP {json.dumps(step)}")
        return f"word{words - 1} " if seconds else mark

    async def hear(self, expected: str, within: float = _ANSWERED_S) -> None:
        """The model has the answer, the turn ends, and nothing of it runs on. Raises Broken."""
        try:
            with trio.fail_after(within):
                outcome = await self.model.outcome()
        except trio.TooSlowError:
            raise Broken(f"no answer within {within:.0f} s") from None
        if outcome.failed or expected not in outcome.text:
            raise Broken(f"the model was given {outcome.text[:300]!r}")
        await self.agent.turn_ended()
        await self.nothing_runs()

    async def under_way(self) -> None:
        """The provider works at the call. Raises Broken."""
        if not await self._until(lambda open_: open_ > 0):
            raise Broken("the call did not reach the provider")

    async def nothing_runs(self) -> None:
        """Raises Broken."""
        if not await self._until(lambda open_: open_ == 0):
            raise Broken("a provider's request runs for nobody")
        if busy := await self._busy():
            raise Broken(f"a call runs for nobody: {busy}")

    async def _busy(self) -> str:
        """What still runs after _QUIET_S; "" once all is at rest. A daemon that is just leaving says nothing."""
        with trio.move_on_after(_QUIET_S):  # noqa: ASYNC912  # each turn waits
            while True:
                try:
                    return await self.world.idle(_QUIET_S)
                except NotStarted:
                    await trio.sleep(0.1)
        return "no daemon says that it is at rest"

    async def _until(self, holds: Callable[[int], bool]) -> bool:
        with trio.move_on_after(_QUIET_S):  # noqa: ASYNC912  # each turn waits
            while not holds(len((await fetch(self.world.provider.port, "/_state"))["open"])):  # noqa: ASYNC110  # another process's
                await trio.sleep(0.05)
            return True
        return False

    def daemon(self) -> int:
        """The process id of the daemon that serves."""
        place = self.world.home / "exai" / "logs" / "ws_daemon.pid"
        return int(place.read_text(encoding="ascii"))


async def first_call(desk: Desk) -> None:
    await desk.hear(await desk.ask())


async def long_stream(desk: Desk) -> None:
    await desk.hear(await desk.ask(_STREAM_S), _STREAM_S + _ANSWERED_S)


async def killed(desk: Desk) -> None:
    await _signalled(desk, signal.SIGKILL)


async def terminated(desk: Desk) -> None:
    await _signalled(desk, signal.SIGTERM)


async def _signalled(desk: Desk, number: signal.Signals) -> None:
    expected = await desk.ask(4)
    await desk.under_way()
    _send(desk.daemon(), number)
    await desk.hear(expected)


async def replaced(desk: Desk) -> None:
    expected = await desk.ask(4)
    await desk.under_way()
    await desk.world.daemon("--replace")
    await desk.hear(expected)


async def cancelled(desk: Desk) -> None:
    await desk.ask(60)
    await desk.under_way()
    await desk.agent.interrupt()
    await desk.nothing_runs()
    await desk.hear(await desk.ask())


async def closed(desk: Desk) -> None:
    await desk.ask(60)
    await desk.under_way()
    desk.agent.child.signal(desk.agent.closing)
    if await desk.agent.child.wait(_QUIET_S) is None:
        raise Broken("the editor does not end")
    await desk.nothing_runs()
    if left := processes(desk.world.home, "shim"):
        raise Broken(f"shims outlive their editor: {left}")


async def short_stream(desk: Desk) -> None:
    await desk.hear(await desk.ask(_SHORT_S))


async def between(desk: Desk) -> None:
    """The daemon is replaced while nothing runs: the next call is answered by the new one."""
    await desk.world.daemon("--replace")
    await desk.hear(await desk.ask())


async def cancelled_alone(desk: Desk) -> None:
    await desk.ask(60)
    await desk.under_way()
    await desk.agent.interrupt()
    await desk.nothing_runs()


Step = Callable[[Desk], Awaitable[None]]
STEPS: tuple[tuple[str, Step], ...] = (
    ("first call", first_call),
    (f"{_STREAM_S} s stream", long_stream),
    ("kill -9", killed),
    ("SIGTERM", terminated),
    ("--replace", replaced),
    ("cancel", cancelled),
    ("editor closed", closed),
)

# By a URL there is nobody to start a daemon or to bridge two, and who leaves comes back: what is left is asked.
URL_STEPS: tuple[tuple[str, Step], ...] = (
    ("URL: first call", first_call),
    (f"URL: {_SHORT_S} s stream", short_stream),
    ("URL: --replace", between),
    ("URL: cancel", cancelled_alone),
)


def processes(home: Path, command: str) -> list[int]:
    """Those of this home that run this command of EXAI."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if (
                command.encode() in words
                and str(home).encode() in (process / "environ").read_bytes()
            ):
                found.append(int(process.name))
    return found


def _send(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


@asynccontextmanager
async def daemon_ended(world: World) -> AsyncGenerator[None]:
    """At the end the daemon that a shim started is ended, for it is no child of ours; first the shims, which would start another."""
    try:
        yield
    finally:
        for command in ("shim", "serve"):
            for pid in processes(world.home, command):
                with suppress(OSError):
                    _send(pid, signal.SIGKILL)
