"""opencode: `opencode serve`, HTTP on loopback."""

import json
import signal
from contextlib import suppress
from typing import Any

import attrs
import trio
from chaos.children import Child, start_child

from .agents import Place
from .install import programs
from .json_lines import PATIENCE_S


@attrs.define(eq=False)
class OpenCode:
    """One session; `turn` is set when its newest turn has ended."""

    child: Child
    port: int
    session: str = ""
    turn: trio.Event = attrs.field(factory=trio.Event)
    nursery: trio.Nursery = attrs.field(kw_only=True)
    closing: signal.Signals = signal.SIGTERM

    @classmethod
    async def start(cls, nursery: trio.Nursery, place: Place) -> "OpenCode":
        server = {"type": "local", "command": list(place.shim), "environment": place.settings}
        if place.by_url:
            server = json.loads(place.by_url)["mcp"]["exai"]
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": place.model + "/v1", "apiKey": "scripted"},
            "models": {"scripted": {"name": "scripted"}},
        }
        config = {
            "provider": {"scripted": provider},
            "model": "scripted/scripted",
            "small_model": "scripted/scripted",
            "mcp": {"exai": {**server, "enabled": True}},
            "share": "disabled",
            "autoupdate": False,
            "permission": "allow",
        }
        (place.project / "opencode.json").write_text(json.dumps(config), encoding="utf-8")
        program = programs(place.installed)["opencode"]
        env = {
            **place.env,
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        }
        child = await start_child(nursery, (str(program), "serve", "--pure"), env, place.project)
        agent = cls(child, 0, nursery=nursery)
        with trio.fail_after(PATIENCE_S):
            agent.port = await _listening_at(child)
        agent.session = (await agent.post("/session", {}))["id"]
        return agent

    async def post(self, path: str, body: Any) -> Any:
        """Its JSON; None where the answer has none."""
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
        more = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        said = b""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all((head + more).encode() + data)
            async for piece in stream:
                said += piece
        found = said[said.index(b"\r\n\r\n") :]
        begin = min((at for at in (found.find(b"{"), found.find(b"[")) if at >= 0), default=-1)
        return json.loads(found[begin : found.rindex(b"}") + 1]) if begin >= 0 else None

    async def say(self, text: str) -> None:
        self.turn = trio.Event()
        self.nursery.start_soon(self._turn, text, self.turn)

    async def _turn(self, text: str, ended: trio.Event) -> None:
        parts = [{"type": "text", "text": text}]
        with suppress(OSError, trio.BrokenResourceError, ValueError):  # it was closed
            await self.post(f"/session/{self.session}/message", {"parts": parts})
        ended.set()

    async def turn_ended(self) -> None:
        await self.turn.wait()

    async def interrupt(self) -> None:
        await self.post(f"/session/{self.session}/abort", {})
        await self.turn_ended()


async def _listening_at(child: Child) -> int:
    said = b""
    while b"\n" not in said[said.find(b"http://") :] or b"http://" not in said:
        data = await child.process.stdout.receive_some(4096)
        if not data:
            raise RuntimeError(f"opencode ended: {said!r} {child.complained()}")
        said += data
    return int(said.split(b"http://", 1)[1].split(b"\n", 1)[0].rpartition(b":")[2])
