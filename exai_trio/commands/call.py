"""`exai call`: one tool call, its progress shown, its answer on stdout; a signal cancels the call and not just us."""

import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import attrs
import msgspec
import trio
from msgspec import UNSET

from exai_trio.commands import words
from exai_trio.commands.client import Client, Dial, open_client
from exai_trio.commands.console import Console
from exai_trio.commands.started import Started
from exai_trio.config import Config
from exai_trio.errors import ExaiError, ProtocolError
from exai_trio.transport.websocket import PeerGone, Unreachable, connect
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    Fault,
    ListTools,
    Progress,
    StreamChunk,
    ToolList,
)

DONE, FAILED, INTERRUPTED = 0, 1, 130
CANCEL_S = 5.0  # for the outcome of a call that was cancelled


@attrs.frozen(kw_only=True)
class Asked:
    """What the command line asks for. `pairs` are keys and texts; `timeout_s` is seconds."""

    tool: str
    pairs: tuple[tuple[str, str], ...] = ()
    as_json: bool = False
    timeout_s: float | None = None
    roots: tuple[str, ...] = ()


def main(started: Started) -> int:
    arguments = started.arguments
    asked = Asked(
        tool=arguments.tool,
        pairs=words.split(arguments.words, _read),
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        roots=(str(Path.cwd()),),
    )
    return trio.run(run, started.loaded.config, asked, Console.of_process())


def _read(path: str) -> str:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes()
    return data.decode()


@attrs.define
class Interrupts:
    """Signals while a call runs: the first ends the waiting, so that the call can be cancelled; the second ends all."""

    seen: int = 0
    waiting: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    everything: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                self.seen += 1
                scope = self.waiting if self.seen == 1 else self.everything
                scope.cancel(reason="a signal")


async def run(config: Config, asked: Asked, console: Console, *, dial: Dial = connect) -> int:
    """The exit code. Raises Unreachable, PeerGone or ExaiError. Cancelling drops the connection."""
    interrupts, shown = Interrupts(), _Shown(console)
    outcome: CallResult | CallFailed | None = None
    fault: Exception | None = None
    async with trio.open_nursery() as watching:
        await watching.start(interrupts.run)
        try:
            with interrupts.everything:
                outcome = await _conduct(config, asked, interrupts, shown, dial)
        except (ExaiError, PeerGone, Unreachable) as raised:  # raised below, not in a group
            fault = raised
        watching.cancel_scope.cancel(reason="the call is over")
    console.erase()
    if fault is not None:
        raise fault
    if outcome is None:
        console.note("exai: stopped waiting; the daemon was told to cancel the call")
        return INTERRUPTED
    code = _report(outcome, asked, console, streamed=shown.chunks > 0)
    return INTERRUPTED if interrupts.seen and code else code


async def _conduct(
    config: Config, asked: Asked, interrupts: Interrupts, shown: "_Shown", dial: Dial
) -> CallResult | CallFailed | None:
    """The outcome, or None if there was none within CANCEL_S of a signal."""
    outcome: CallResult | CallFailed | None = None
    async with open_client(config, roots=asked.roots, dial=dial) as client:
        call = CallTool(
            request_id=f"cli-{uuid4().hex}",
            name=asked.tool,
            arguments=words.arguments(asked.pairs, await _schema(client, asked.tool)),
            timeout_s=asked.timeout_s,
            stream=shown.wants_chunks and not asked.as_json,
        )
        with interrupts.waiting:
            await client.send(call)
            outcome = await _receive_outcome(client, call, shown)
        if outcome is None:
            await client.send(Cancel(request_id=call.request_id))
            with trio.move_on_after(CANCEL_S):
                outcome = await _receive_outcome(client, call, shown)
        await client.acknowledge()
    return outcome


async def _schema(client: Client, tool: str) -> words.Schema | None:
    """The tool's schema, or None for one that is not listed (it may be hidden by the profile, and callable)."""
    await client.send(ListTools())
    while not isinstance(answer := await client.receive(), ToolList):
        if isinstance(answer, ErrorReply):
            raise ProtocolError(f"the daemon does not list its tools: {answer.error.message}")
    listed = [one for one in answer.tools if tool == one.get("name")]
    return cast("words.Schema", listed[0].get("inputSchema", {})) if listed else None


async def _receive_outcome(
    client: Client, call: CallTool, shown: "_Shown"
) -> CallResult | CallFailed:
    while True:
        message = await client.receive()
        match message:
            case CallResult() | CallFailed() if message.request_id == call.request_id:
                return message
            case ErrorReply():
                return CallFailed(request_id=call.request_id, error=message.error)
            case _:
                shown.show(message)


@attrs.define
class _Shown:
    """What the one who waits has seen so far."""

    _console: Console
    chunks: int = 0

    @property
    def wants_chunks(self) -> bool:
        return self._console.screen

    def show(self, message: DaemonMessage) -> None:
        match message:
            case StreamChunk():
                if not self.chunks:
                    self._console.erase()
                self.chunks += 1
                self._console.say(message.chunk, end="")
            case Progress() if not self.chunks:
                self._console.status(f"{message.elapsed_s:5.1f} s  {message.message}")
            case _:
                pass


def _report(
    outcome: CallResult | CallFailed, asked: Asked, console: Console, *, streamed: bool
) -> int:
    if asked.as_json:
        console.say(json.dumps(msgspec.to_builtins(outcome), ensure_ascii=False, indent=2))
        return DONE if isinstance(outcome, CallResult) else FAILED
    if streamed:
        console.say("")
    if isinstance(outcome, CallFailed):
        console.note(_failure(asked.tool, outcome.error))
        return FAILED
    text = "".join(output.text for output in outcome.outputs)
    envelope = _envelope(text)
    if not streamed:
        console.say(text if envelope is None else str(envelope["content"]))
    if console.live:
        for line in _footnotes(outcome, envelope or {}):
            console.note(line)
    return DONE


def _envelope(text: str) -> dict[str, Any] | None:
    """What a simple tool wraps around its answer, if it does."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    fields = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return fields if isinstance(fields.get("content"), str) and "status" in fields else None


def _footnotes(outcome: CallResult, envelope: dict[str, Any]) -> Iterable[str]:
    metadata: dict[str, Any] = {
        **(envelope.get("metadata") or {}),
        **(outcome.outputs[0].metadata or {} if outcome.outputs else {}),
    }
    if metadata.get("simulated"):
        yield "— simulated: no model was asked"
    if notice := metadata.get("notice"):
        yield f"— {notice}"
    if outcome.usage is not UNSET and outcome.usage:
        yield _usage(outcome.usage, metadata)
    offer: object = envelope.get("continuation_offer")
    if isinstance(offer, dict) and "continuation_id" in offer:
        yield f"— go on with continuation_id={offer['continuation_id']}"


def _usage(usage: dict[str, Any], metadata: dict[str, Any]) -> str:
    cost = usage.get("cost_usd")
    paid = "" if cost is None else f", {cost:.4f} USD"
    return (
        f"— {metadata.get('model_used', 'model')}: {usage.get('input_tokens', 0)} tokens in, "
        f"{usage.get('output_tokens', 0)} out{paid}"
    )


def _failure(tool: str, error: Fault) -> str:
    lines = [f"exai: {tool}: {error.code}: {error.message}"]
    if error.retryable:
        after = error.retry_after_s
        when = "" if after is UNSET else f" in {after:g} s"
        lines.append(f"      trying again{when} may help")
    if error.correlation_id:
        lines.append(f"      the daemon's log knows it as {error.correlation_id}")
    return "\n".join(lines)
