"""What the provider tests share: a listener that remembers, and the simulator inside the test's own loop."""

from functools import partial

import attrs
import pytest

from exai_trio.config import Config
from exai_trio.providers.base import ChatRequest, Message


@attrs.define
class Hearing:
    """A listener that remembers everything."""

    stages: list = attrs.field(factory=list)
    chunks: list = attrs.field(factory=list)
    waited: list = attrs.field(factory=list)

    def stage(self, stage, message):
        self.stages.append((stage, message))

    def chunk(self, text):
        self.chunks.append(text)

    def waited_for_provider(self, provider, seconds):
        self.waited.append((provider, seconds))


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
    from exai_trio.simulator.app import serve  # noqa: PLC0415 - not for the tests without sockets

    return await nursery.start(partial(serve, "127.0.0.1", 0))
