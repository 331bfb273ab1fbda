"""Opens the ports for health and pages, as the settings have them; what serves there is loaded beside the event loop."""

from functools import partial
from importlib import import_module

import trio

from exai_trio import structs
from exai_trio.wire.hosts import OurNames

from .watched_daemon import WatchedDaemon


@structs.frozen(kw_only=True)
class HttpAddresses:
    """URLs; None where nothing serves."""

    health: str | None = None
    monitoring: str | None = None
    incidents: str | None = None


async def open_ports(
    background: trio.Nursery, watched: WatchedDaemon, names: OurNames
) -> HttpAddresses:
    """Where health, the pages and incidents are. Cancelling leaves what serves already to `background`."""
    config = watched.config
    if not (config.health_check_port or config.monitoring_port or config.incidents_port):
        return HttpAddresses()
    ports = await trio.to_thread.run_sync(import_module, "exai_trio.daemon.http.ports")
    health = monitoring = incidents = None
    serve, gate = partial(background.start, ports.serve), ports.gate_of(watched, names)
    if gate.logins.lasting is not None:
        await gate.logins.lasting.read()
    if config.health_check_port:
        app = ports.health_app(watched, gate)
        health = await serve(app, config.ws_host, config.health_check_port)
    if config.monitoring_port or config.incidents_port:
        feed = ports.feed_of(watched, gate)
        background.start_soon(feed.run)
        if config.monitoring_port:
            app = ports.pages_app(watched, gate, feed)
            monitoring = await serve(app, config.ws_host, config.monitoring_port)
        if config.incidents_port:
            app = ports.incidents_app(watched, gate, feed)
            incidents = await serve(app, config.ws_host, config.incidents_port)
    return HttpAddresses(health=health, monitoring=monitoring, incidents=incidents)
