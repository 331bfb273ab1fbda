"""The routes of the page of terminals: the page, its files, and a new session. Nothing here is loaded where EXAI_TERMINALS is false."""

from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import trio

from exai_trio import structs
from exai_trio.config import bracketed
from exai_trio.terminal import reconnect_rules
from exai_trio.wire.hosts import host_of
from exai_trio.wire.terminal_errors import TerminalError, as_data

from ...terminals.terminal_endpoint import TerminalEndpoint
from ..gate import UNAUTHORIZED, Gate, header_of
from ..route_table import Asked, Content, Route
from ..site import failure
from ..watched_daemon import WatchedDaemon

_FILES: Final = Path(__file__).parents[1] / "terminal_page"
_MEDIA: Final = {
    "terminals.js": "text/javascript; charset=utf-8",
    "terminal_link.js": "text/javascript; charset=utf-8",
    "vendor/xterm.mjs": "text/javascript; charset=utf-8",
    "vendor/addon-fit.mjs": "text/javascript; charset=utf-8",
    "terminals.css": "text/css; charset=utf-8",
    "vendor/xterm.css": "text/css; charset=utf-8",
}
# xterm.js makes style elements of its own.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' {sockets};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_STATUS: Final = {"NOT_ALLOWED": 403, "SESSION_LIMIT": 429, "NOT_STARTED": 500}
_WRONG, _NOT_FOUND = 400, 404


@structs.frozen(eq=False)
class _Page:
    watched: WatchedDaemon
    terminals: TerminalEndpoint
    gate: Gate


def terminal_routes(
    watched: WatchedDaemon, terminals: TerminalEndpoint, gate: Gate
) -> tuple[Route, ...]:
    """Those of a daemon that has terminals."""
    page = _Page(watched, terminals, gate)
    return (
        Route("/terminals", "open", partial(_page, page)),
        Route(path="/terminals/{file}", gives="open", answer=_own_file),
        Route(path="/terminals/vendor/{file}", gives="open", answer=_vendored_file),
        Route("/api/terminals", "changes", partial(_create, page), "POST"),
    )


async def _page(page: _Page, asked: Asked) -> Content:
    """The HTML, with the rules that every client of a terminal follows. Cancelling leaves reading to its thread."""
    text = await _read("terminals.html")
    rules = {
        "port": page.watched.report.port,
        "errors": {row["code"]: row for row in as_data()},
        "first_s": reconnect_rules.FIRST_S,
        "longest_s": reconnect_rules.LONGEST_S,
        "in_a_row": reconnect_rules.IN_A_ROW,
        "rest_s": reconnect_rules.REST_S,
        "jitter": reconnect_rules.JITTER,
        "look_s": reconnect_rules.LOOK_S,
    }
    told = msgspec.json.encode(rules).replace(b"<", b"\\u003c")  # nothing ends the element
    return Content(
        body=text.replace(b"RULES", told, 1),
        media="text/html; charset=utf-8",
        headers={"content-security-policy": _policy(asked, page.watched.report.port)},
    )


def _policy(asked: Asked, port: int) -> str:
    """Beside what is ours by the same name, the WebSocket on the daemon's own port."""
    name = host_of(header_of(dict(asked.raw), b"host").decode("latin-1"))
    sockets = f"ws://{bracketed(name)}:{port} wss://{bracketed(name)}:{port}" if name else ""
    return _POLICY.format(sockets=sockets)


async def _own_file(asked: Asked) -> Content:
    return await _file(asked.path["file"])


async def _vendored_file(asked: Asked) -> Content:
    return await _file(f"vendor/{asked.path['file']}")


async def _file(name: str) -> Content:
    if name not in _MEDIA:
        return failure(_NOT_FOUND, "NOT_FOUND", "there is nothing at this path")
    return Content(body=await _read(name), media=_MEDIA[name])


async def _read(name: str) -> bytes:
    return await trio.to_thread.run_sync((_FILES / name).read_bytes, abandon_on_cancel=True)


async def _create(page: _Page, asked: Asked) -> object:
    """The record of a new session, or why there is none."""
    identity = page.gate.identify(asked.token)
    if identity is None:
        return failure(UNAUTHORIZED, "AUTH_ERROR", "a terminal wants a credential of everybody")
    try:
        return {"session": await page.terminals.create(identity, dict(asked.body))}
    except TerminalError as fault:
        return failure(_STATUS.get(fault.code, _WRONG), fault.code, fault.message)
