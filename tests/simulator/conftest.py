"""A simulator inside the test's own event loop, and clients for it."""

from functools import partial

import httpx2
import pytest

KEY = {"Authorization": "Bearer simulated"}
GLM = "/glm/api/paas/v4"
KIMI = "/kimi/v1"


@pytest.fixture
async def origin(nursery):
    """Where the simulator serves; it ends with the test."""
    from exai_trio.simulator.app import serve  # noqa: PLC0415 - not for the tests without sockets

    return await nursery.start(partial(serve, "127.0.0.1", 0))


@pytest.fixture
async def http(origin):
    """A client with a good key."""
    async with httpx2.AsyncClient(base_url=origin, headers=KEY, timeout=10) as client:
        yield client
