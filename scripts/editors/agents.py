"""What the steps ask of an editor's agent, and where each of the three lives. How one is started and told is its own module."""

import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import attrs
import trio
from chaos.children import Child


class Agent(Protocol):
    """An editor's agent, started; one turn at a time."""

    child: Child
    closing: signal.Signals  # how it is closed by its user

    async def say(self, text: str) -> None:
        """Begin a turn with what the user says."""

    async def turn_ended(self) -> None: ...

    async def interrupt(self) -> None:
        """What the user does with Escape: the turn ends, the editor stays."""


@attrs.frozen
class Place:
    """Where an editor lives: its home, its project, what is installed, its model, its shim's command and settings; or, `by_url`, what
    `exai config --mcp http` prints for it."""

    home: Path
    project: Path
    installed: Path
    model: str
    shim: tuple[str, ...]
    settings: dict[str, str]
    env: dict[str, str]
    by_url: str = ""


Start = Callable[[trio.Nursery, Place], Awaitable[Agent]]


@asynccontextmanager
async def running(start: Start, place: Place) -> AsyncGenerator[Agent]:
    """The editor, started; it is killed at the end if it still runs."""
    async with trio.open_nursery() as nursery:
        agent = await start(nursery, place)
        try:
            yield agent
        finally:
            agent.child.signal(signal.SIGKILL)
            nursery.cancel_scope.cancel(reason="the editor is done")
