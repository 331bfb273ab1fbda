"""`exai call`: one tool call, its progress shown, its answer on stdout. Carrying it through is `pursuit`."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec
import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.commands.calling import key_value
from exai_trio.commands.calling.follow_call import Asked, Interrupts, Outcome, Pursuit
from exai_trio.commands.client import Dial
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.transport.websocket import PeerGone, Unreachable, connect
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    DaemonMessage,
    Fault,
    Progress,
    StreamChunk,
)

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(started: Started) -> int:
    arguments = started.arguments
    asked = Asked(
        tool=arguments.tool,
        pairs=key_value.split(arguments.words, _read),
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        roots=(key_value.whole(str(Path.cwd()), "the name of the working directory"),),
    )
    return trio.run(run, started.loaded.config, asked, Console.of_process())


def _read(path: str) -> str:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes()
    return data.decode()


async def run(config: Config, asked: Asked, console: Console, *, dial: Dial = connect) -> int:
    """The exit code. Raises Unreachable, PeerGone or ExaiError. Cancelling drops the connection."""
    interrupts, shown = Interrupts(), _Shown(console)
    pursuit = Pursuit(
        config=config,
        asked=asked,
        stream=console.screen and not asked.as_json,
        show=shown.show,
        interrupts=interrupts,
        dial=dial,
    )
    fault: Exception | None = None
    async with trio.open_nursery() as watching:
        await watching.start(interrupts.run)
        try:
            with interrupts.everything:
                await pursuit.run()
        except (ExaiError, PeerGone, Unreachable) as raised:  # raised below, not in a group
            fault = raised
        watching.cancel_scope.cancel(reason="the call is over")
    console.erase()
    if shown.chunks:
        console.say("")
    if fault is not None:
        raise fault
    if pursuit.outcome is None:
        console.note(f"exai: stopped waiting; {pursuit.left_behind}")
        return INTERRUPTED
    whole = shown.chunks > 0 and not pursuit.losses  # away, we may have missed pieces
    code = _report(pursuit.outcome, asked, console, streamed=whole)
    return INTERRUPTED if interrupts.seen and code else code


@structs.define
class _Shown:
    """What the one who waits has seen so far."""

    _console: Console
    chunks: int = 0

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


def _report(outcome: Outcome, asked: Asked, console: Console, *, streamed: bool) -> int:
    if asked.as_json:
        console.say(json.dumps(msgspec.to_builtins(outcome), ensure_ascii=False, indent=2))
        return DONE if isinstance(outcome, CallResult) else FAILED
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
    except (ValueError, RecursionError):
        # audit: empty-handler, because text that is no JSON has no envelope
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
