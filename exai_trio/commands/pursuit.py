"""One call, carried through to its outcome: over lost connections, and through the signals that cancel it.

A connection that breaks is opened again, into the same session, and the call is sent again under the same request id:
the daemon joins it to the one that runs, also if it was started anew and took the call up from its journal. A daemon
without one has forgotten the call; whether to run it again is then for whoever asked.
"""

import signal
from collections.abc import Callable
from typing import cast
from uuid import uuid4

import attrs
import trio

from exai_trio import structs
from exai_trio.commands import words
from exai_trio.commands.client import Client, Dial, Return, open_client
from exai_trio.config import Config
from exai_trio.errors import CallInterrupted, ProtocolError, ServiceUnavailableError
from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    ListTools,
    ToolList,
)

Outcome = CallResult | CallFailed

CANCEL_S = 5.0  # for the outcome of a call that was cancelled
RETURN_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # waits before coming back; about 16 s in all


@structs.frozen(kw_only=True)
class Asked:
    """What the command line asks for. `pairs` are keys and texts; `timeout_s` is seconds."""

    tool: str
    pairs: tuple[tuple[str, str], ...] = ()
    as_json: bool = False
    timeout_s: float | None = None
    roots: tuple[str, ...] = ()


@structs.define
class Interrupts:
    """Signals while a call runs: the first ends the waiting, so that the call can be cancelled; the second ends all."""

    seen: int = 0
    waiting: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    everything: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def fresh_wait(self) -> trio.CancelScope:
        """The scope of the next waiting; cancelled from the start if a signal has already come."""
        self.waiting = trio.CancelScope()
        if self.seen:
            self.waiting.cancel(reason="a signal")
        return self.waiting

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; the signals are the process's own again afterwards."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                self.seen += 1
                scope = self.waiting if self.seen == 1 else self.everything
                scope.cancel(reason="a signal")


@structs.define(kw_only=True)
class Pursuit:
    """`show` is given every message that is not the outcome. `losses` counts connections that broke during the call."""

    config: Config
    asked: Asked
    stream: bool
    show: Callable[[DaemonMessage], None]
    interrupts: Interrupts
    dial: Dial
    losses: int = 0
    _call: CallTool | None = None
    _back: Return | None = None
    _boot_id: str = ""

    async def outcome(self) -> Outcome | None:
        """None if there was none within CANCEL_S of a signal. Raises Unreachable, PeerGone or ExaiError."""
        waits = iter(RETURN_S)
        while True:
            try:
                return await self._attempt()
            except (PeerGone, ServiceUnavailableError, Unreachable):
                wait = next(waits, None)
                if self._call is None or wait is None:
                    raise
            self.losses += 1
            await trio.sleep(wait)

    async def _attempt(self) -> Outcome | None:
        asked = self.asked
        async with open_client(
            self.config, roots=asked.roots, back=self._back, dial=self.dial
        ) as client:
            call = await self._prepared(client)
            try:
                outcome = await self._wait(client, call)
            finally:
                self._back = client.way_back
            await client.acknowledge()
        return outcome

    async def _prepared(self, client: Client) -> CallTool:
        boot_id = client.server.boot_id if client.server else ""
        if self._call is None:
            asked = self.asked
            self._boot_id = boot_id
            self._call = CallTool(
                request_id=f"cli-{uuid4().hex}",
                name=asked.tool,
                arguments=words.arguments(asked.pairs, await _schema(client, asked.tool)),
                timeout_s=asked.timeout_s,
                stream=self.stream,
            )
        elif boot_id != self._boot_id and not client.resumed:
            raise CallInterrupted(
                "the daemon was started anew while the call ran; the provider may already have done the work. Call again"
            )
        return self._call

    async def _wait(self, client: Client, call: CallTool) -> Outcome | None:
        outcome: Outcome | None = None
        with self.interrupts.fresh_wait():
            await client.send(call)
            outcome = await self._received(client, call)
        if outcome is None:
            await client.send(Cancel(request_id=call.request_id))
            with trio.move_on_after(CANCEL_S):
                outcome = await self._received(client, call)
        return outcome

    async def _received(self, client: Client, call: CallTool) -> Outcome:
        while True:
            message = await client.receive()
            match message:
                case CallResult() | CallFailed() if message.request_id == call.request_id:
                    return message
                case ErrorReply():
                    return CallFailed(request_id=call.request_id, error=message.error)
                case _:
                    self.show(message)


async def _schema(client: Client, tool: str) -> words.Schema | None:
    """The tool's schema, or None for one that is not listed (it may be hidden by the profile, and callable)."""
    await client.send(ListTools())
    while not isinstance(answer := await client.receive(), ToolList):
        if isinstance(answer, ErrorReply):
            raise ProtocolError(f"the daemon does not list its tools: {answer.error.message}")
    listed = [one for one in answer.tools if tool == one.get("name")]
    return cast("words.Schema", listed[0].get("inputSchema", {})) if listed else None
