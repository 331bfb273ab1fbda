"""Codex: `codex app-server`, JSON-RPC a line each."""

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
class Codex:
    """One thread; `turn` is the newest."""

    child: Child
    lines: Lines
    thread: str = ""
    turn: str = ""
    running: bool = False
    answers: dict[int, Any] = attrs.field(factory=dict[int, Any])
    asked: int = 0
    closing: signal.Signals = signal.SIGTERM

    @classmethod
    async def start(cls, nursery: trio.Nursery, place: Place) -> "Codex":
        home = place.home / "codex"
        home.mkdir()
        text = codex_config(place)
        (home / "config.toml").write_text(text, encoding="utf-8")
        program = programs(place.installed)["codex"]
        env = {**place.env, "CODEX_HOME": str(home), "SCRIPTED_KEY": "scripted"}
        child = await start_child(nursery, (str(program), "app-server"), env, place.project)
        agent = cls(child, Lines(child))
        nursery.start_soon(agent.lines.run, agent.hear)
        await agent.request(
            "initialize", clientInfo={"name": "editors", "title": "e", "version": "1"}
        )
        await agent.lines.write({"method": "initialized"})
        started = await agent.request(
            "thread/start",
            cwd=str(place.project),
            approvalPolicy="never",
            sandbox="danger-full-access",
        )
        agent.thread = started["thread"]["id"]
        return agent

    async def request(self, method: str, **params: Any) -> Any:
        self.asked += 1
        number = self.asked
        await self.lines.write({"id": number, "method": method, "params": params})
        await self.lines.wait_until(lambda: number in self.answers)
        answer = self.answers[number]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def hear(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self.answers[message["id"]] = message
        elif method == "turn/completed":
            self.running = False

    async def say(self, text: str) -> None:
        self.running = True
        started = await self.request(
            "turn/start", threadId=self.thread, input=[{"type": "text", "text": text}]
        )
        self.turn = started["turn"]["id"]

    async def turn_ended(self) -> None:
        await self.lines.wait_until(lambda: not self.running)

    async def interrupt(self) -> None:
        await self.request("turn/interrupt", threadId=self.thread, turnId=self.turn)
        await self.turn_ended()


def codex_config(place: Place) -> str:
    quoted = json.dumps
    return f"""
model = "scripted"
model_provider = "scripted"
approval_policy = "never"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = {quoted(place.model + "/v1")}
wire_api = "responses"
env_key = "SCRIPTED_KEY"

{place.by_url or _by_shim(place)}
startup_timeout_sec = 30
"""


def _by_shim(place: Place) -> str:
    quoted = json.dumps
    env = ", ".join(f"{quoted(name)} = {quoted(value)}" for name, value in place.settings.items())
    return f"""[mcp_servers.exai]
command = {quoted(place.shim[0])}
args = {quoted(list(place.shim[1:]))}
env = {{ {env} }}"""
