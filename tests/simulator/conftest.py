"""A simulator inside the test's own event loop, and clients for it."""

import ssl
from functools import partial

import httpx2
import pytest

KEY = {"Authorization": "Bearer simulated"}


@pytest.fixture
async def origin(nursery):
    """Where the simulator serves; it ends with the test."""
    from exai_trio.simulator.app import serve

    return await nursery.start(partial(serve, "127.0.0.1", 0))


@pytest.fixture
def connect():
    """Make a client for an origin, with a good key. It has no certificates: loading them takes longer than a test."""

    def client(origin, headers=KEY, timeout=10):
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx2.AsyncClient(
            base_url=origin, headers=headers, timeout=timeout, verify=no_tls, trust_env=False
        )

    return client


@pytest.fixture
async def http(origin, connect):
    """A client with a good key."""
    async with connect(origin) as client:
        yield client
