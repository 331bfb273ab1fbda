"""Claude Code: `claude -p` with JSON on both pipes."""

import json
import signal
from typing import Any

import attrs
import trio
from chaos.children import Child, start_child

from .agents import Place
from .install import programs
from .json_lines import Lines


@attrs.define(eq=False)
class ClaudeCode:
    """`said` and `ended` count turns."""

    child: Child
    lines: Lines
    ended: int = 0
    said: int = 0
    closing: signal.Signals = signal.SIGINT

    @classmethod
    async def start(cls, nursery: trio.Nursery, place: Place) -> "ClaudeCode":
        server = {"type": "stdio", "command": place.shim[0], "args": list(place.shim[1:])}
        server = json.loads(place.by_url) if place.by_url else {**server, "env": place.settings}
        config = {"mcpServers": {"exai": server}}
        file = place.home / "mcp.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        program = programs(place.installed)["claude"]
        words = ("-p", "--input-format", "stream-json", "--output-format", "stream-json")
        tools = "mcp__exai__chat,mcp__exai__result"
        more = ("--verbose", "--model", "claude-sonnet-4-5", "--allowedTools", tools)
        mcp = ("--mcp-config", str(file), "--strict-mcp-config")
        env = {
            **place.env,
            "ANTHROPIC_BASE_URL": place.model,
            "ANTHROPIC_API_KEY": "scripted",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ENABLE_TOOL_SEARCH": "false",  # the script calls a tool without looking for it first
        }
        child = await start_child(nursery, (str(program), *words, *more, *mcp), env, place.project)
        agent = cls(child, Lines(child))
        nursery.start_soon(agent.lines.run, agent.hear)
        return agent

    def hear(self, message: dict[str, Any]) -> None:
        self.ended += message.get("type") == "result"

    async def say(self, text: str) -> None:
        self.said += 1
        await self.lines.write({"type": "user", "message": {"role": "user", "content": text}})

    async def turn_ended(self) -> None:
        await self.lines.wait_until(lambda: self.ended >= self.said)

    async def interrupt(self) -> None:
        request = {"subtype": "interrupt"}
        await self.lines.write(
            {"type": "control_request", "request_id": "stop", "request": request}
        )
        await self.turn_ended()
