"""The applications of our HTTP ports: health on one, the dashboard on another, and whoever else has routes."""

from exai_trio.wire.hosts import OurNames

from .api.health_routes import health_routes, old_routes
from .api.login_routes import login_routes
from .gate import Gate
from .page_logins import PageLogins
from .page_shell import page_routes
from .route_table import Route, RouteTable
from .site import Site, serve
from .watched_daemon import WatchedDaemon

__all__ = ["gate_of", "health_app", "pages_app", "serve"]


def gate_of(watched: WatchedDaemon, names: OurNames) -> Gate:
    """One for all ports: a login counts on each of them."""
    return Gate(names, watched.auth.tokens, PageLogins(watched.now))


def health_app(watched: WatchedDaemon, gate: Gate, more: tuple[Route, ...] = ()) -> Site:
    """What monitors ask."""
    return Site(gate, RouteTable((*health_routes(watched.report), *more)))


def pages_app(watched: WatchedDaemon, gate: Gate, more: tuple[Route, ...] = ()) -> Site:
    """The dashboard, and `more` that others add to it."""
    routes = (
        *page_routes(),
        *old_routes(watched.report),
        *login_routes(gate, watched.auth),
        *more,
    )
    return Site(gate, RouteTable(routes))
