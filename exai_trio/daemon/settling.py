"""What the first calls would otherwise pay for: loading the providers' library, and rounds of the garbage collector."""

import logging

from exai_trio.observability import collector
from exai_trio.providers.gateway import Gateway

log = logging.getLogger("exai.daemon")


async def settle(gateway: Gateway) -> None:
    """Takes about a second of a processor. Can be done again; a fault is logged, and then the first calls pay."""
    try:
        await gateway.warm_up()
        collector.settle()
    except Exception:
        log.exception("not warmed up")
