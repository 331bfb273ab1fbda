"""MCP over HTTP as the daemon runs it: its desks and its port, until they are cancelled."""

import logging
import secrets
from typing import Final

import trio

from exai_trio import structs
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.tools.registry import Registry
from exai_trio.transport.http_site import HttpSite
from exai_trio.transport.json_document import fetch_json
from exai_trio.transport.trusted_proxies import TrustedProxies
from exai_trio.wire.hosts import OurNames

from ..connections.auth import Authentication
from ..context import DaemonContext
from ..sessions.session_registry import Sessions
from .access import Access
from .access_tokens import AccessTokens
from .desks import Desks
from .mcp_endpoint import PATH, Endpoint
from .session_ids import KEY_BYTES, SessionIds, kept_key, shared_key

log = logging.getLogger("exai.http")

_IDLE_S: Final = 60.0


@structs.frozen(kw_only=True, eq=False)
class Service:
    """What it needs of the daemon."""

    context: DaemonContext
    sessions: Sessions
    auth: Authentication
    names: OurNames
    tools: Registry

    async def serve(self, task_status: trio.TaskStatus[str | None]) -> None:
        """Serve until cancelled. Starts with the URL, or with None if the port cannot be had, which is logged and no more."""
        config = self.context.config
        try:
            listeners = await trio.open_tcp_listeners(config.mcp_port, host=config.ws_host)
        except OSError as fault:
            about = {"port": config.mcp_port, "reason": str(fault)}
            log.warning("http port not available", extra=about)
            task_status.started(None)
            return
        async with trio.open_nursery() as nursery:
            desks = await self._desks()
            nursery.start_soon(desks.run)
            endpoint = Endpoint(desks, self._access())
            proxies = TrustedProxies.of(config.trusted_proxies)
            site = HttpSite(endpoint, config.max_connections, _IDLE_S, proxies=proxies)
            origin = await nursery.start(site.serve, listeners)
            task_status.started(f"{origin}{PATH}")

    async def _desks(self) -> Desks:
        config = self.context.config
        ids = SessionIds(await self._key())
        large = LargeResults(config.home / "files")
        return Desks(self.context, self.sessions, self.tools, ids, large)

    async def _key(self) -> bytes:
        """Of the daemons that share a database, if they share a secret; else of the home."""
        config = self.context.config
        secret = config.own_token or config.jwt_secret_key
        if config.is_shared and secret:
            return shared_key(secret)
        try:
            return await trio.to_thread.run_sync(kept_key, config.state)
        except OSError as fault:
            log.warning("the key of HTTP sessions ends with this daemon", extra={"why": str(fault)})
            return secrets.token_bytes(KEY_BYTES)

    def _access(self) -> Access:
        config = self.context.config
        public = config.public_url.rstrip("/")
        issued = None
        if config.oauth_issuer:
            issued = AccessTokens(
                issuer=config.oauth_issuer,
                resource=f"{public}{PATH}",
                scope=config.oauth_scope,
                fetch=fetch_json,
                now=self.context.clock.now,
            )
        return Access(self.names, self.auth, public, issued)
