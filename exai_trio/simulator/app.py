"""The simulator as a server: both services and the control endpoints on one loopback port."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from exai_trio.config import Config
from exai_trio.transport.http_site import HttpSite
from exai_trio.wire.hosts import OurNames

from .server.control_endpoints import Control, shown
from .server.exchange import Exchange
from .server.host_check import HostCheck
from .server.received_request import Endpoint
from .server.side_endpoints import (
    GLM_BASE,
    GLM_OFFERS,
    KIMI_BASE,
    KIMI_OFFERS,
    Offer,
    glm_nothing,
    kimi_nothing,
)
from .state import Now, SimulatorState, Visit

# the simulator is for this machine
DEFAULT_HOST = "127.0.0.1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def serve(  # noqa: ASYNC128 - hands task_status on
    host: str,
    port: int,
    *,
    request_log: Path | None = None,
    names: OurNames | None = None,
    now: Now | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; reports the origin, such as "http://127.0.0.1:41234", once connections are accepted.

    `names` are those under which it may be asked, beside the address that was asked; this machine's, if not given.
    `now` gives the time of files; without it their times are the same in each run. `request_log` gets one JSON line for every request, when it has ended. Cancelling closes every connection at once.
    """
    started = trio.current_time()
    with _writing(request_log, started) as write:
        listeners = await trio.open_tcp_listeners(port, host=host)
        simulator_state = SimulatorState(now=now)
        checked = HostCheck(
            _application(simulator_state, started, write), names or OurNames.of(Config())
        )
        site = HttpSite(checked)
        simulator_state.connections = site.open
        await site.serve(listeners, task_status)


def _application(
    simulator_state: SimulatorState, started: float, write: Callable[[Visit], None]
) -> Starlette:
    exchange = partial(Exchange, simulator_state=simulator_state, ended=write)
    glm, kimi = partial(exchange, vendor="glm"), partial(exchange, vendor="kimi")
    return Starlette(
        routes=[
            *Control(simulator_state, started).routes(),
            Mount(GLM_BASE, routes=_service(glm, GLM_OFFERS, glm_nothing)),
            Mount(KIMI_BASE, routes=_service(kimi, KIMI_OFFERS, kimi_nothing)),
        ]
    )


def _service(
    exchange: Callable[..., Exchange], offers: tuple[Offer, ...], nothing: Endpoint
) -> list[Route]:
    """One service's routes; whatever it does not offer is answered in its own words."""
    routes = [
        Route(offer.path, exchange(endpoint=offer.endpoint), methods=[offer.method])
        for offer in offers
    ]
    return [*routes, Route("/{rest:path}", exchange(endpoint=nothing), methods=list(METHODS))]


@contextmanager
def _writing(path: Path | None, started: float) -> Generator[Callable[[Visit], None], None, None]:
    """How an ended request gets into the log file: in one stretch, so that a cancelled request is written too."""
    if path is None:
        yield lambda _visit: None
        return
    with path.open("a", encoding="utf-8", errors="replace") as lines:

        def write(visit: Visit) -> None:
            lines.write(json.dumps(shown(visit, started), ensure_ascii=False) + "\n")
            lines.flush()

        yield write
