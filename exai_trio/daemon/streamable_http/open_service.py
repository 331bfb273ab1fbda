"""Opens MCP over HTTP, if there is a port for it: nothing else of it is loaded before."""

from importlib import import_module

import trio

from exai_trio.tools.registry import Registry
from exai_trio.wire.hosts import OurNames

from ..connections.auth import Authentication
from ..context import DaemonContext
from ..sessions.session_registry import Sessions

_SERVICE = "exai_trio.daemon.streamable_http.service"


async def open_service(
    background: trio.Nursery,
    context: DaemonContext,
    sessions: Sessions,
    *,
    auth: Authentication,
    names: OurNames,
    tools: Registry,
) -> str | None:
    """Its URL; None without a port. Cancelling leaves what serves already to `background`."""
    if not context.config.mcp_port:
        return None
    module = await trio.to_thread.run_sync(import_module, _SERVICE)
    service = module.Service(
        context=context, sessions=sessions, auth=auth, names=names, tools=tools
    )
    url: str | None = await background.start(service.serve)
    return url
