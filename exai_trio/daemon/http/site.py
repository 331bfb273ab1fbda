"""HTTP beside the WebSocket: health answers on one port, the monitoring pages on another.

Loaded after the daemon serves.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exai_trio.config import is_loopback
from exai_trio.errors import UnauthorizedError
from exai_trio.transport.http_site import HttpSite
from exai_trio.wire.hosts import OurNames

from ..connections.auth import Tokens
from ..health.report import Report
from .pages import PAGES

log = logging.getLogger("exai.http")

_MOST_CONNECTIONS = 64  # each has a descriptor, and calls need them
_IDLE_S = 10.0


def health_app(report: Report, names: OurNames, tokens: Tokens) -> Starlette:
    """GET /health, /health/live, /health/ready, /health/semaphores, /health/websocket."""
    reads: dict[str, Callable[[], dict[str, Any]]] = {
        "/health": report.health,
        "/health/live": report.identity,
        "/health/semaphores": report.semaphores,
        "/health/websocket": report.websocket,
    }
    routes = [_route(path, partial(_json, read)) for path, read in reads.items()]
    return _app([*routes, _route("/health/ready", partial(_ready, report))], names, tokens)


def pages_app(report: Report, names: OurNames, tokens: Tokens) -> Starlette:
    """The monitoring pages, and the facts they show at /api/health."""
    routes = [_route(path, partial(_page, page)) for path, page in PAGES.items()]
    return _app([*routes, _route("/api/health", partial(_json, report.health))], names, tokens)


def _app(routes: list[Route], names: OurNames, tokens: Tokens) -> Starlette:
    rule = Middleware(AccessRule, names=names, tokens=tokens)
    return Starlette(routes=routes, middleware=[rule])


def _route(path: str, respond: Callable[[], Response]) -> Route:
    async def answer(_request: Request) -> Response:  # noqa: ASYNC124 - starlette runs what is not async in a thread
        return respond()

    return Route(path, answer)


def _json(read: Callable[[], dict[str, Any]]) -> Response:
    return JSONResponse(read())


def _ready(report: Report) -> Response:
    if report.draining:
        return JSONResponse({"status": "draining"}, status_code=503)
    return JSONResponse({"status": "ready"})


def _page(page: str) -> Response:
    policy = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline'"}
    return HTMLResponse(page, headers=policy)


class AccessRule:
    """ASGI middleware: the rule for Host and Origin as on the WebSocket; readers from other machines need the token."""

    def __init__(self, app: ASGIApp, names: OurNames, tokens: Tokens) -> None:
        self.app = app
        self.names = names
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, request: Request) -> Response | None:
        here = request.scope.get("server")
        refused = self.names.refusal(request.scope["headers"], here[0] if here else "")
        if refused is not None:
            log.debug("request refused", extra={"reason": refused.text})
            return PlainTextResponse(refused.text + "\n", status_code=refused.status)
        if request.client is None or is_loopback(request.client.host):
            return None
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            self.tokens.principal(bearer, bearer)
        except UnauthorizedError as fault:
            return PlainTextResponse(
                f"{fault}\n", status_code=401, headers={"WWW-Authenticate": "Bearer"}
            )
        return None


async def serve(
    app: Starlette, host: str, port: int, task_status: trio.TaskStatus[str | None]
) -> None:
    """Serve until cancelled, which cuts the answers that are on their way.

    Starts with the URL, or with None if the port cannot be had, which is logged and no more.
    """
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as fault:
        log.warning("http port not available", extra={"port": port, "reason": str(fault)})
        task_status.started(None)
        return
    await HttpSite(app, _MOST_CONNECTIONS, _IDLE_S).serve(listeners, task_status)
