"""Opens the ports for health and pages, as the settings have them; what answers there is loaded once the daemon serves."""

import logging
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Final

import trio

from exai_trio import structs
from exai_trio.config import bracketed
from exai_trio.wire.hosts import OurNames

from .watched_daemon import WatchedDaemon

log = logging.getLogger("exai.http")

_FED: Final = frozenset({"monitoring", "incidents"})  # these have the feed as well
_Bound = dict[str, list[trio.SocketListener]]


@structs.frozen(kw_only=True)
class HttpAddresses:
    """URLs; None where nothing serves."""

    health: str | None = None
    monitoring: str | None = None
    incidents: str | None = None


async def open_ports(  # noqa: ASYNC128 - hands task_status on
    watched: WatchedDaemon,
    names: OurNames,
    loaded: trio.Event,
    task_status: trio.TaskStatus[HttpAddresses] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Starts with where health, the pages and incidents are; who asks before they are loaded waits, and `loaded` is set then.
    Cancelling closes the ports and cuts the answers that are on their way."""
    config = watched.config
    numbers = {
        "health": config.health_check_port,
        "monitoring": config.monitoring_port,
        "incidents": config.incidents_port,
    }
    bound: _Bound = {}
    async with AsyncExitStack() as opened:
        for name, number in numbers.items():
            listeners = await _listeners(config.ws_host, number) if number else []
            for listener in listeners:
                opened.push_async_callback(listener.aclose)
                bound[name] = listeners
        task_status.started(HttpAddresses(**{name: _url(of[0]) for name, of in bound.items()}))
        try:
            await _serve(watched, names, loaded, bound)
        except Exception:
            log.exception("nothing is served over HTTP")
        finally:
            loaded.set()


async def _listeners(host: str, port: int) -> list[trio.SocketListener]:
    """None if the port cannot be had, which is logged and no more."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as fault:
        log.warning("http port not available", extra={"port": port, "reason": str(fault)})
        return []


def _url(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://{bracketed(host)}:{port}"


async def _serve(
    watched: WatchedDaemon, names: OurNames, loaded: trio.Event, bound: _Bound
) -> None:
    if not bound:
        return
    ports = await trio.to_thread.run_sync(import_module, "exai_trio.daemon.http.ports")
    if bound.keys() & _FED:  # or the first site with WebSockets would load it on the loop
        await trio.to_thread.run_sync(import_module, "exai_trio.transport.websocket_upgrade")
    gate = ports.gate_of(watched, names)
    if gate.logins.lasting is not None:
        await gate.logins.lasting.read()
    async with trio.open_nursery() as serving:
        if "health" in bound:
            serving.start_soon(ports.serve, ports.health_app(watched, gate), bound["health"])
        if bound.keys() & _FED:
            feed = ports.feed_of(watched, gate)
            serving.start_soon(feed.run)
            apps = {"monitoring": ports.pages_app, "incidents": ports.incidents_app}
            for name in bound.keys() & _FED:
                serving.start_soon(ports.serve, apps[name](watched, gate, feed), bound[name])
        loaded.set()
