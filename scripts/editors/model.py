"""The model of an editor, as a script: it calls the tool that the user's text names, notes what comes back, and is done.

A user's text says `EXAI-STEP {"tool": "chat", "arguments": {…}}`. An answer that is a handle is followed up with `result`,
as an agent does.
"""

import json
import re
from typing import Any

import attrs
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exai_trio.transport.http_site import HttpSite

from .dialects import DIALECTS, Heard, Reply, as_stream

_STEP = re.compile(r"EXAI-STEP (\{.*\})")
_HANDLE = re.compile(r'"call_id":\s*"([^"]+)"')


@attrs.frozen
class Outcome:
    """What a tool gave the model."""

    text: str
    failed: bool
    at: float


@attrs.define(eq=False)
class Model:
    """`outcomes` are the tools' answers since `forget`, `heard` counts what was asked of the model."""

    outcomes: list[Outcome] = attrs.field(factory=list[Outcome])
    tools: tuple[str, ...] = ()
    heard: int = 0
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def forget(self) -> None:
        self.outcomes.clear()

    async def outcome(self) -> Outcome:
        """The first that is no handle, once it is there."""
        while not (final := [one for one in self.outcomes if not _handle(one.text)]):
            await self._changed.wait()
        return final[0]

    def reply(self, heard: Heard) -> Reply:
        """What the model says to this. Notes a tool's answer."""
        self.tools = heard.tools or self.tools
        if heard.from_tool:
            self.outcomes.append(Outcome(heard.text, heard.failed, trio.current_time()))
            self._changed.set()
            self._changed = trio.Event()
            handle = _handle(heard.text)
            return (
                self._use(heard, "result", {"call_id": handle, "wait_s": 50})
                if handle
                else Reply("done")
            )
        asked = _STEP.findall(heard.text)
        if not asked or not heard.tools:
            return Reply("nothing to do")
        step = json.loads(asked[-1])
        return self._use(heard, step["tool"], step["arguments"])

    def _use(self, heard: Heard, tool: str, arguments: dict[str, Any]) -> Reply:
        """The tool under the name that the editor gives it: with the server's before it."""
        named = [name for name in heard.tools if re.search(rf"exai.*[_\0]{tool}$", name)]
        if not named:
            return Reply(f"no tool {tool} among {heard.tools}")
        return Reply(tool=named[0], arguments=json.dumps(arguments))

    async def serve(  # noqa: ASYNC128 - hands task_status on
        self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve on loopback until cancelled; reports the origin."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        routes = [Route(path, self._answer, methods=["POST"]) for path in DIALECTS]
        routes.append(Route("/{rest:path}", _models, methods=["GET", "HEAD", "POST"]))
        await HttpSite(Starlette(routes=routes)).serve(listeners, task_status)

    async def _answer(self, request: Request) -> Response:
        dialect = DIALECTS[request.url.path]
        body = await request.json()
        self.heard += 1
        reply = self.reply(dialect.hear(body))
        said = as_stream(dialect.say(reply, self.heard))
        return Response(said, media_type="text/event-stream")


def _handle(text: str) -> str:
    """The id under which a call that still runs is asked for; "" if this is an answer."""
    running = '"status":"running"' in text.replace(": ", ":").replace("\\", "")
    found = _HANDLE.search(text.replace("\\", "")) if running else None
    return found.group(1) if found else ""


def _models(_request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [], "models": []})
