"""The applications of our HTTP ports: health on one, the dashboard on another, and whoever else has routes."""

from exai_trio.transport.trusted_proxies import TrustedProxies
from exai_trio.wire.hosts import OurNames

from .api.access_routes import access_routes
from .api.call_routes import call_routes
from .api.conversation_routes import conversation_routes
from .api.daemon_routes import daemon_routes
from .api.health_routes import health_routes, metrics_routes
from .api.history_routes import history_routes
from .api.login_routes import login_routes
from .api.overview_routes import overview_routes
from .api.session_routes import session_routes
from .api.storage_routes import storage_routes
from .api.usage_routes import usage_routes
from .api.watching_routes import watching_routes
from .feed.feed import PATH as FEED, Feed
from .feed.told_events import ToldEvents
from .gate import Gate
from .logins.lasting_logins import LastingLogins
from .logins.page_logins import PageLogins
from .page_shell import page_routes
from .route_table import Route, RouteTable
from .site import Site, serve
from .watched_daemon import WatchedDaemon

__all__ = ["feed_of", "gate_of", "health_app", "incidents_app", "pages_app", "serve"]

_OF_PAGES = (
    overview_routes,
    history_routes,
    call_routes,
    session_routes,
    conversation_routes,
    usage_routes,
    storage_routes,
    daemon_routes,
    watching_routes,
    access_routes,
)


def gate_of(watched: WatchedDaemon, names: OurNames) -> Gate:
    """One for all ports: a login counts on each of them."""
    kept = watched.auth.logins
    lasting = LastingLogins(kept, watched.auth, watched.now) if kept else None
    proxies = TrustedProxies.of(watched.report.context.config.trusted_proxies)
    return Gate(names, watched.auth, PageLogins(watched.now, lasting), proxies)


def health_app(watched: WatchedDaemon, gate: Gate) -> Site:
    """What monitors ask."""
    report = watched.report
    return Site(gate, RouteTable((*health_routes(report), *metrics_routes(report))))


def pages_app(watched: WatchedDaemon, gate: Gate, feed: Feed) -> Site:
    """The dashboard and its feed."""
    of_pages = (
        *metrics_routes(watched.report),
        *(route for routes_of in _OF_PAGES for route in routes_of(watched)),
        *_of_terminals(watched, gate),
    )
    routes = (*page_routes(watched), *login_routes(gate, watched.auth, of_pages), *of_pages)
    return Site(gate, RouteTable(routes), {FEED: feed.serve})


def _of_terminals(watched: WatchedDaemon, gate: Gate) -> tuple[Route, ...]:
    """None where there are no terminals; else a page's login is a credential there, too."""
    terminals = watched.terminals
    if terminals is None:
        return ()
    from .api.terminal_routes import terminal_routes  # nothing of it is loaded else

    terminals.of_page = gate.logins.identity_of
    return terminal_routes(watched, terminals, gate)


def incidents_app(watched: WatchedDaemon, gate: Gate, feed: Feed) -> Site:
    """Incidents on a port of their own: the same page, logins, feed and answers as on the dashboard's."""
    answers = watching_routes(watched)
    routes = (*page_routes(watched), *login_routes(gate, watched.auth, answers), *answers)
    return Site(gate, RouteTable(routes), {FEED: feed.serve})


def feed_of(watched: WatchedDaemon, gate: Gate) -> Feed:
    """From now on it has each event; whoever asks for it runs it."""
    context = watched.report.context
    events = ToldEvents(context.clock.now)
    context.events.add("feed", events.takes())
    return Feed(gate, watched, events)
