"""Scenarios about daemons that the shim starts itself, and about calls that find none."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import trio

from .editor import Editor
from .trial import Trial
from .world import World, open_world

_CALL_S = 4.0
_DEADLINE_S = 2.0
_AUTOSTART = "EXAI_WS_AUTOSTART"


async def autostarted(trial: Trial) -> None:
    """kill -9 or SIGTERM in the middle of a call, where the shim starts the daemon: the call is answered, soon."""
    async with open_world(**{_AUTOSTART: "true"}) as world:
        try:
            editor = await world.editor()
            for _ in trial.rounds():
                for number in (signal.SIGKILL, signal.SIGTERM):
                    await _struck(trial, world, editor, number)
        finally:
            _strike(world, signal.SIGKILL)


async def _struck(trial: Trial, world: World, editor: Editor, number: int) -> None:
    await trial.hear(editor, [await trial.echo(editor)])  # there is a daemon
    asked = await trial.echo(editor, delay_ms=int(_CALL_S * 1000))
    await trio.sleep(trial.random.uniform(0.3, _CALL_S - 0.5))
    began = trio.current_time()
    trial.hold(_strike(world, number), "there was no daemon to strike")
    trial.kills += number == signal.SIGKILL
    await trial.hear(editor, [asked])
    trial.must_succeed([asked])
    if asked.answer is not None:
        name = signal.Signals(number).name
        trial.figure(f"{name} in a call of {_CALL_S:g} s to its answer, s", asked.answer.at - began)


def _strike(world: World, number: int) -> bool:
    """Whether there was a daemon."""
    with suppress(OSError, ValueError):
        os.kill(int(Path(world.home, "exai", "logs", "ws_daemon.pid").read_text()), number)
        return True
    return False


async def no_daemon(trial: Trial) -> None:
    """A call that finds no daemon, a stranger in its place, or one that cannot start, ends in time and says what mends it."""
    async with open_world(SIMPLE_TOOL_TIMEOUT_SECS=_DEADLINE_S) as world:
        for _ in trial.rounds():
            await _without(trial, world, {})
            await _without(trial, world, {_AUTOSTART: "true", "EXAI_PROVIDERS_FILE": "/nowhere"})
            for says in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
                async with _stranger(world.port, says):
                    await _without(trial, world, {})


async def _without(trial: Trial, world: World, settings: dict[str, str]) -> None:
    async with AsyncExitStack() as stack:
        editor = await world.editor(**settings)
        stack.push_async_callback(editor.child.kill)
        asked = await trial.echo(editor)
        await trial.hear(editor, [asked])
        if asked.answer is None:
            return
        over = asked.answer.at - asked.at - _DEADLINE_S
        trial.figure("without a daemon: answered after its deadline, s", max(0.0, over))
        said = asked.answer.text
        trial.hold(asked.answer.code == "SERVICE_UNAVAILABLE", f"without a daemon: {said[:200]}")
        mends = "`exai " in said or "EXAI_WS_PORT" in said
        trial.hold(mends, f"no remedy in {said[:300]!r}")


@asynccontextmanager
async def _stranger(port: int, says: bytes) -> AsyncGenerator[None]:
    """Something else on the daemon's port: it says this to whoever comes, and hangs."""

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            if says:
                await stream.receive_some()
                await stream.send_all(says)
            async for _ in stream:
                pass
        await stream.aclose()

    async with trio.open_nursery() as strangers:
        await strangers.start(trio.serve_tcp, serve, port)
        yield
        strangers.cancel_scope.cancel()
