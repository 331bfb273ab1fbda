"""What the provider tests share: a listener that remembers, and the simulator inside the test's own loop."""

import math
import ssl
from contextlib import asynccontextmanager
from functools import partial

import attrs
import httpx2
import pytest

from exai_trio.config import Config
from exai_trio.providers.adapter import Adapter
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.dialects.generic import plain_dialect
from exai_trio.providers.endpoint import built_in
from exai_trio.providers.openai_compatible import Service
from exai_trio.providers.routing import unlisted


@attrs.define
class Hearing:
    """A listener that remembers everything."""

    stages: list = attrs.field(factory=list)
    chunks: list = attrs.field(factory=list)
    waited: list = attrs.field(factory=list)
    requests: list = attrs.field(factory=list)
    allows_s: float = math.inf
    since: float = 0.0

    def stage(self, stage, message):
        self.stages.append((stage, message))

    def chunk(self, text):
        self.chunks.append(text)

    def waited_for_provider(self, provider, seconds):
        self.waited.append((provider, seconds))

    def requested(self, request):
        self.requests.append(request)

    def flows(self, until):
        return min(until, self.since + self.allows_s)


@pytest.fixture
def hearing():
    return Hearing()


@pytest.fixture
def new_hearing():
    return Hearing


@pytest.fixture
def question():
    """Make a chat request out of a text."""

    def make(text="hello", **more):
        return ChatRequest(
            **{
                "model": "",
                "messages": (Message(role="user", text=text),),
                "idempotency_key": "session-1:request-1",
                **more,
            }
        )

    return make


@pytest.fixture
def patient_config():
    """Settings under which a failing model is not shut out, so that a test may fail as often as it likes."""
    return attrs.evolve(Config(), circuit_breaker_enabled=False)


@pytest.fixture
async def origin(nursery):
    """Where the simulator serves; it ends with the test."""
    from exai_trio.simulator.app import serve

    return await nursery.start(partial(serve, "127.0.0.1", 0))


@pytest.fixture
def adapter_at(origin):
    """Open a provider at the simulator: its dialect, HTTP and limits are the real ones."""

    @asynccontextmanager
    async def open_adapter(name, **limits):
        endpoint = endpoint_at(origin, name, **limits)
        service = Service(endpoint=endpoint)
        catalogue = load_catalogue()
        try:
            yield Adapter(
                service=service,
                describe=lambda model: catalogue.find(model) or unlisted(name, model),
            )
        finally:
            await service.aclose()

    return open_adapter


def endpoint_at(origin, name, key="simulated", **limits):
    glm, kimi = built_in(Config(), origin)
    plain = attrs.evolve(kimi, name="plain", dialect=plain_dialect("Plain"))
    endpoint = {"glm": glm, "kimi": kimi, "plain": plain}[name]
    return attrs.evolve(endpoint, key=key, limits=attrs.evolve(endpoint.limits, **limits))


@pytest.fixture
def requests_at(origin):
    """What the simulator's log says of the requests to a path."""

    async def ask(path="/chat/completions"):
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with httpx2.AsyncClient(verify=no_tls, trust_env=False) as http:
            answer = await http.get(f"{origin}/_requests", params={"path": path})
        return answer.json()["requests"]

    return ask
