"""One call, carried through to its outcome: over lost connections, through the signals that cancel it, and not for ever.

A connection that breaks is opened again, into the same session, and the call is sent again under the same request id:
the daemon joins it to the one that runs, also if it was started anew and took the call up from its journal. A daemon
without one has forgotten the call; whether to run it again is then for whoever asked.
"""

import math
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import uuid4

import attrs
import trio

from exai_trio import structs
from exai_trio.commands.calling import key_value, shell_paths
from exai_trio.commands.client import Client, Dial, Return, open_client
from exai_trio.config import Config
from exai_trio.errors import (
    CallInterrupted,
    CallTimeoutError,
    OverCapacityError,
    ProtocolError,
    ServiceUnavailableError,
    ToolNotFoundError,
)
from exai_trio.transport.websocket import TOO_LARGE, PeerGone, Unreachable
from exai_trio.wire.messages import (
    CallAccepted,
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
LAST_WORD_S = 5.0  # for the daemon to say itself that the call's time is over
RETURN_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # waits before coming back; about 16 s in all


@structs.frozen(kw_only=True)
class Asked:
    """What the command line asks for. `pairs` are keys and texts, typed by the tool's schema; `arguments` are typed already.
    `folder` is where relative paths begin; `timeout_s` is seconds."""

    tool: str
    pairs: tuple[tuple[str, str], ...] = ()
    arguments: Mapping[str, Any] | None = None
    folder: str = ""
    as_json: bool = False
    timeout_s: float | None = None
    roots: tuple[str, ...] = ()


@structs.define
class Interrupts:
    """Signals while a call runs: the first ends the waiting, so that the call can be cancelled; the second ends all, as
    does the first where nobody waits for a daemon's outcome."""

    seen: int = 0
    everything: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _waiting: trio.CancelScope | None = None

    def stop_waiting(self) -> None:
        """As the first signal does, and the second."""
        self.seen += 1
        scope = self.everything if self._waiting is None else self._waiting
        self._waiting = None
        scope.cancel(reason="nobody waits any more")

    @contextmanager
    def waiting(self) -> Generator[trio.CancelScope]:
        """What the first signal ends alone."""
        self._waiting = scope = trio.CancelScope()
        try:
            with scope:
                yield scope
        finally:
            self._waiting = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; the signals are the process's own again afterwards."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                self.stop_waiting()


@structs.define(kw_only=True)
class CallFollower:
    """`show` is given every message that is not the outcome. `losses` counts connections that broke during the call."""

    config: Config
    asked: Asked
    stream: bool
    show: Callable[[DaemonMessage], None]
    interrupts: Interrupts
    dial: Dial
    outcome: Outcome | None = None
    losses: int = 0
    _call: CallTool | None = None
    _back: Return | None = None
    _boot_id: str = ""
    _sent: bool = False  # as a whole: of one that was cut on its way no daemon has enough to run it
    _accepted: bool = False
    _asked_to_cancel: bool = False
    _patience: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @property
    def left_behind(self) -> str:
        """What becomes of a call that is not waited for any more."""
        if not self._sent:
            return "the call was not sent"
        if self._asked_to_cancel:
            return "the daemon was asked to cancel the call, and has not said that it did"
        return "no daemon was asked to cancel the call, so it may still run"

    async def run(self) -> None:
        """Return with the outcome, or without it after a signal. Raises Unreachable, PeerGone or ExaiError; CallTimeoutError
        when it does not come in the call's time, or in the longest time that the daemon promises."""
        began, limit_s = trio.current_time(), self.asked.timeout_s
        self._patience.deadline = began + (math.inf if limit_s is None else limit_s + LAST_WORD_S)
        with self._patience:
            await self._attempts()
        if self._patience.cancelled_caught and self.outcome is None:
            waited = trio.current_time() - began
            raise CallTimeoutError(f"no outcome came within {waited:.0f} s; {self.left_behind}")

    async def _attempts(self) -> None:
        for wait in (*RETURN_S, None):
            try:
                return await self._attempt()
            except (PeerGone, ServiceUnavailableError, Unreachable) as lost:
                if self.outcome is not None or self.interrupts.seen:
                    return None
                if isinstance(lost, PeerGone) and lost.code == TOO_LARGE:
                    raise _too_large(self.left_behind) from lost
                if self._call is None or wait is None:
                    raise
            self.losses += 1
            await trio.sleep(wait)
        return None

    async def _attempt(self) -> None:
        async with open_client(
            self.config, roots=self.asked.roots, back=self._back, dial=self.dial
        ) as client:
            call = await self._prepared(client)
            try:
                await self._wait(client, call)
            finally:
                self._back = client.way_back
            await client.acknowledge()

    async def _prepared(self, client: Client) -> CallTool:
        boot_id = client.server.boot_id if client.server else ""
        if self._call is None:
            self._call = await self._composed(client)
            self._boot_id = boot_id
            longest = trio.current_time() + client.promise.patience_s
            self._patience.deadline = min(self._patience.deadline, longest)
        elif self._sent and boot_id != self._boot_id and not client.resumed:
            raise CallInterrupted(_forgotten(accepted=self._accepted))
        return self._call

    async def _composed(self, client: Client) -> CallTool:
        asked = self.asked
        arguments = asked.arguments
        if arguments is None:
            given = key_value.arguments(asked.pairs, await _schema(client, asked.tool))
            arguments = shell_paths.anchored(given, asked.folder)
        return CallTool(
            request_id=f"cli-{uuid4().hex}",
            name=asked.tool,
            arguments=dict(arguments),
            timeout_s=asked.timeout_s,
            stream=self.stream,
        )

    async def _wait(self, client: Client, call: CallTool) -> None:
        with self.interrupts.waiting() as waiting:
            await client.send(call)
            self._sent = True
            self.outcome = await self._received(client, call)
        if waiting.cancelled_caught:
            with trio.move_on_after(CANCEL_S):
                await client.send(Cancel(request_id=call.request_id))
                self._asked_to_cancel = True
                self.outcome = await self._received(client, call)

    async def _received(self, client: Client, call: CallTool) -> Outcome:
        while True:
            message = await client.receive()
            match message:
                case CallResult() | CallFailed() if message.request_id == call.request_id:
                    return message
                case ErrorReply():
                    return CallFailed(request_id=call.request_id, error=message.error)
                case CallAccepted():
                    self._accepted = True
                    self.show(message)
                case _:
                    self.show(message)


def _forgotten(*, accepted: bool) -> str:
    if accepted:
        return (
            "the daemon was started anew while the call ran, and has forgotten it; the provider may already have done the"
            " work. Call again"
        )
    return (
        "the daemon was started anew before it had said that it took the call; it is not known whether the call ran. Call"
        " again"
    )


def _too_large(left_behind: str) -> OverCapacityError:
    return OverCapacityError(
        "the connection was closed over a message, ours or the daemon's, that is larger than EXAI_WS_MAX_BYTES"
        f" allows; {left_behind}. Send less text, or set it higher for the daemon and here"
    )


async def _schema(client: Client, tool: str) -> key_value.Schema | None:
    """The tool's schema, or None for one that neither the daemon lists nor this package knows."""
    await client.send(ListTools())
    while not isinstance(answer := await client.receive(), ToolList):
        if isinstance(answer, ErrorReply):
            raise ProtocolError(f"the daemon does not list its tools: {answer.error.message}")
    listed = [one for one in answer.tools if tool == one.get("name")]
    return cast("key_value.Schema", listed[0].get("inputSchema", {})) if listed else _unlisted(tool)


def _unlisted(name: str) -> key_value.Schema | None:
    """The schema of a tool that the profile hides, or that is called by the name that an editor gives it."""
    from exai_trio.tools import arguments, registry  # 0.1 s, for those who call such a tool

    try:
        return arguments.schema(registry.Registry(tools=registry.BUILT_IN).get(name))
    except ToolNotFoundError:  # audit: empty-handler, because None is the answer: no such tool
        return None
