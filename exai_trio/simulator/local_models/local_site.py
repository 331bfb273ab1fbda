"""One of the four model servers on a loopback port.

What it answers is decided in `server_bodies` and `local_chat`.
"""

import json
from collections.abc import Callable

import attrs
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exai_trio.config import Config
from exai_trio.transport.http_site import HttpSite
from exai_trio.wire.hosts import OurNames

from ..json_fields import an_object
from ..server.host_check import HostCheck
from .local_chat import reply
from .server_bodies import LocalServer, no_key, nothing_there, openai_list, own_answers

_OPEN = frozenset({"/health", "/v1/models"})  # of llama-server, which tells its models to everybody
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@attrs.define(eq=False)
class Seen:
    """What was asked of a server: method and path, and whether a key came along."""

    requests: list[tuple[str, str, bool]] = attrs.field(factory=list[tuple[str, str, bool]])


async def serve_local(  # noqa: ASYNC128 - hands task_status on
    server: LocalServer,
    host: str = "127.0.0.1",  # audit: host, because the simulator is for this machine
    port: int = 0,
    *,
    seen: Seen | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; reports the origin once connections are accepted. `seen` is told every request."""
    listeners = await trio.open_tcp_listeners(port, host=host)
    app = Starlette(
        routes=[Route("/{path:path}", _endpoint(server, seen or Seen()), methods=METHODS)]
    )
    await HttpSite(HostCheck(app, OurNames.of(Config()))).serve(listeners, task_status)


def _endpoint(server: LocalServer, seen: Seen) -> Callable[[Request], object]:
    answers = {"/v1/models": openai_list(server), **own_answers(server)}

    async def answer(request: Request) -> Response:
        path, key = request.url.path, request.headers.get("authorization", "")
        seen.requests.append((request.method, path, bool(key)))
        told = server.kind == "llama-server" and path in _OPEN
        if server.key and not told and key != f"Bearer {server.key}":
            return JSONResponse(no_key(server.kind), status_code=401)
        if request.method == "GET" and path in answers:
            return JSONResponse(answers[path])
        if request.method == "POST" and path == "/v1/chat/completions":
            return _chat(server, await request.body())
        status, body = nothing_there(server.kind, request.method, path)
        return JSONResponse(body, status_code=status)

    return answer


def _chat(server: LocalServer, body: bytes) -> Response:
    try:
        asked = an_object(json.loads(body))
    except ValueError:
        return JSONResponse({"error": {"message": "no JSON", "code": 400}}, status_code=400)
    said = reply(server, asked)
    if said.events:
        return Response(b"".join(said.events), media_type="text/event-stream")
    return JSONResponse(said.body, status_code=said.status)
