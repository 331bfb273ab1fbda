"""One call through the shim, as an editor makes it: the shim is started, and speaks MCP over its pipes."""

import json
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import attrs
import trio

from exai_trio import __version__, structs
from exai_trio.interpreter import EXAI

_VERSION: Final = "2025-11-25"
_QUESTION: Final = "In one sentence: what do you look at first in a review of code?"
_END_S: Final = 5.0

Message = dict[str, Any]


@structs.frozen(kw_only=True)
class Spoken:
    """What came back. `fault` says why it is no answer."""

    text: str = ""
    fault: str = ""


async def ask(environ: Mapping[str, str], progress: Callable[[str], None]) -> Spoken:
    """What a model answers to a short question. Cancelling ends the shim; a daemon that it has started stays."""
    async with _shim(environ) as shim:
        messages = _Messages(cast("trio.abc.ReceiveStream", shim.stdout))
        client = {"name": "exai init", "version": __version__}
        opening = {"protocolVersion": _VERSION, "capabilities": {}, "clientInfo": client}
        await _say(shim, {"id": 1, "method": "initialize", "params": opening})
        await _hear(messages, 1, progress)
        await _say(shim, {"method": "notifications/initialized"})
        arguments = {"prompt": _QUESTION, "use_websearch": False}
        call = {"name": "chat", "arguments": arguments, "_meta": {"progressToken": "init"}}
        await _say(shim, {"id": 2, "method": "tools/call", "params": call})
        return _spoken(await _hear(messages, 2, progress))


@asynccontextmanager
async def _shim(environ: Mapping[str, str]) -> AsyncGenerator[trio.Process]:
    """It ends as its stdin does; one that does not is killed."""
    process = await trio.lowlevel.open_process(
        [*EXAI, "shim"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
    )
    try:
        yield process
    finally:
        with trio.move_on_after(_END_S, shield=True):
            await cast("trio.abc.SendStream", process.stdin).aclose()
            await process.wait()
        if process.returncode is None:
            process.kill()
        await cast("trio.abc.ReceiveStream", process.stdout).aclose()


@structs.define(eq=False)
class _Messages:
    """What the shim says, message by message."""

    _stream: trio.abc.ReceiveStream
    _lines: list[bytes] = attrs.field(factory=list[bytes], init=False)
    _rest: bytes = attrs.field(default=b"", init=False)

    async def receive(self) -> Message | None:
        """None once the shim has ended."""
        while not self._lines:
            if not (piece := await self._stream.receive_some()):
                return None
            *self._lines, self._rest = (self._rest + piece).split(b"\n")
        found: Message = json.loads(self._lines.pop(0))
        return found


async def _say(shim: trio.Process, message: Message) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    await cast("trio.abc.SendStream", shim.stdin).send_all(line.encode())


async def _hear(messages: _Messages, number: int, progress: Callable[[str], None]) -> Message:
    """The answer to that request; one that says so if the shim ends before."""
    while (message := await messages.receive()) is not None:
        if message.get("method") == "notifications/progress":
            progress(str(message["params"].get("message", "")))
        elif message.get("id") == number:
            return message
    return {"error": {"message": "the shim ended without an answer"}}


def _spoken(message: Message) -> Spoken:
    if "result" not in message:
        return Spoken(fault=str(message["error"]["message"]))
    result = message["result"]
    structured = cast("Message", result.get("structuredContent") or {})
    parts = cast("list[Message]", result.get("content") or [])
    text: str = structured.get("content") or "\n".join(part.get("text", "") for part in parts)
    return Spoken(fault=text) if result.get("isError") else Spoken(text=text)
