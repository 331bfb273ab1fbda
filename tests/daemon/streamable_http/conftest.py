"""A daemon with its endpoint for MCP over HTTP, without sockets."""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from exai_trio.daemon.streamable_http.access import Access
from exai_trio.daemon.streamable_http.desks import Desks
from exai_trio.daemon.streamable_http.mcp_endpoint import Endpoint
from exai_trio.daemon.streamable_http.session_ids import SessionIds
from exai_trio.mcp.calls.large_results import LargeResults

sys.path.insert(0, str(Path(__file__).parent))  # the module that these tests share is beside them

from web import OWNERS_TOKEN, Web


@pytest.fixture
def web(house, tmp_path):
    """`async with web() as site:` opens a daemon with its endpoint; `journal=` is what one leaves to the next."""

    @asynccontextmanager
    async def opened(key=b"k" * 32, most_bytes=10 * 2**20, **settings):
        settings.setdefault("ws_token", OWNERS_TOKEN)
        async with house(**settings) as daemon, trio.open_nursery() as nursery:
            access = Access(daemon.server.names, daemon.server.auth)
            desks = Desks(
                daemon.context,
                daemon.sessions,
                daemon.report.tools,
                SessionIds(key),
                LargeResults(tmp_path / "files"),
            )
            nursery.start_soon(desks.run)
            yield Web(daemon, desks, Endpoint(desks, access, most_bytes), nursery)
            nursery.cancel_scope.cancel()

    return opened
