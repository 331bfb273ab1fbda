"""Opens the ports for health and pages, as the settings have them; what serves there is loaded beside the event loop."""

from functools import partial
from importlib import import_module

import trio

from exai_trio.wire.hosts import OurNames

from ..connections.auth import Tokens
from ..health.report import Report


async def open_ports(
    background: trio.Nursery, report: Report, names: OurNames, tokens: Tokens
) -> tuple[str | None, str | None]:
    """The URLs of health and of the pages; None where there are none. Cancelling leaves what serves already to `background`."""
    config = report.config
    if not (config.health_check_port or config.monitoring_port):
        return None, None
    site = await trio.to_thread.run_sync(import_module, "exai_trio.daemon.http.site")
    health = monitoring = None
    serve, given = partial(background.start, site.serve), (report, names, tokens)
    if config.health_check_port:
        health = await serve(site.health_app(*given), config.ws_host, config.health_check_port)
    if config.monitoring_port:
        monitoring = await serve(site.pages_app(*given), config.ws_host, config.monitoring_port)
    return health, monitoring
