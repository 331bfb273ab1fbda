"""HTTP beside the WebSocket: health answers on one port, the monitoring pages on another. Loaded after the daemon serves."""

import logging
from collections.abc import Callable
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
from ..health.report import Facts
from .pages import PAGES

log = logging.getLogger("exai.http")

_MOST_CONNECTIONS = 64  # each has a descriptor, and calls need them
_IDLE_S = 10.0

Started = trio.TaskStatus[str | None]


async def serve_health(  # noqa: ASYNC128 - hands task_status on
    facts: Facts, names: OurNames, tokens: Tokens, port: int, task_status: Started
) -> None:
    """GET /health, /health/live, /health/ready, /health/semaphores, /health/websocket until cancelled.

    Starts with the URL, or with None if the port cannot be had, which is logged and no more.
    """
    reads: dict[str, Callable[[], dict[str, Any]]] = {
        "/health": facts.health,
        "/health/live": facts.identity,
        "/health/semaphores": facts.semaphores,
        "/health/websocket": facts.websocket,
    }
    routes = [_json_route(path, read) for path, read in reads.items()]
    app = _app([*routes, _ready_route(facts)], names, tokens)
    await _serve(app, facts.config.ws_host, port, task_status)


async def serve_pages(  # noqa: ASYNC128 - hands task_status on
    facts: Facts, names: OurNames, tokens: Tokens, port: int, task_status: Started
) -> None:
    """The monitoring pages, and the facts they show at /api/health, until cancelled. Starts as `serve_health` does."""
    routes = [_page_route(path, page) for path, page in PAGES.items()]
    app = _app([*routes, _json_route("/api/health", facts.health)], names, tokens)
    await _serve(app, facts.config.ws_host, port, task_status)


def _app(routes: list[Route], names: OurNames, tokens: Tokens) -> Starlette:
    return Starlette(routes=routes, middleware=[Middleware(Gate, names=names, tokens=tokens)])


def _json_route(path: str, read: Callable[[], dict[str, Any]]) -> Route:
    async def answer(_request: Request) -> Response:  # noqa: ASYNC124 - starlette's shape
        return JSONResponse(read())

    return Route(path, answer)


def _ready_route(facts: Facts) -> Route:
    async def answer(_request: Request) -> Response:  # noqa: ASYNC124 - starlette's shape
        ready = not facts.draining.is_set()
        status = {"status": "ready" if ready else "draining"}
        return JSONResponse(status, status_code=200 if ready else 503)

    return Route("/health/ready", answer)


def _page_route(path: str, page: str) -> Route:
    async def answer(_request: Request) -> Response:  # noqa: ASYNC124 - starlette's shape
        return HTMLResponse(
            page, headers={"Content-Security-Policy": "default-src 'self' 'unsafe-inline'"}
        )

    return Route(path, answer)


class Gate:
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


async def _serve(app: Starlette, host: str, port: int, task_status: Started) -> None:
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as fault:
        log.warning("http port not available", extra={"port": port, "reason": str(fault)})
        task_status.started(None)
        return
    await HttpSite(app, _MOST_CONNECTIONS, _IDLE_S).serve(listeners, task_status)
