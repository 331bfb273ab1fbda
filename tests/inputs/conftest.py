"""What the tests of odd answers share: streams as services write them, read by the dialect of each, and a service of raw bytes."""

import json
from functools import partial

import attrs
import pytest
import trio

from exai_trio.providers.answers.accumulator import Assembly
from exai_trio.providers.answers.stream_reader import AnswerReader
from exai_trio.providers.dialects.generic import plain_dialect
from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect

DIALECTS = {
    "glm": glm_dialect("https://api.z.ai/api/paas/v4"),
    "kimi": kimi_dialect("https://api.moonshot.ai/v1"),
    "further": plain_dialect("further"),
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Streams:
    """Writes events."""

    DONE = b"data: [DONE]\n\n"

    @staticmethod
    def event(said):
        return (
            b"data: " + (said if isinstance(said, bytes) else json.dumps(said).encode()) + b"\n\n"
        )

    @classmethod
    def chunk(cls, delta=None, finish=None, **more):
        choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
        return cls.event({"id": "1", "model": "m-1", "choices": [choice], **more})

    @classmethod
    def stream(cls, *contents):
        """Of these contents, with finish, usage and end mark."""
        said = b"".join(cls.chunk({"content": content}) for content in contents)
        return said + cls.chunk({}, "stop", usage=USAGE) + cls.DONE


@pytest.fixture(scope="session")
def streams():
    return Streams


@attrs.define
class Read:
    """A whole answer, and the reader that read it."""

    answer: Assembly
    reader: AnswerReader

    @property
    def text(self):
        return "".join(self.answer.text)

    @property
    def reasoning(self):
        return "".join(self.answer.reasoning)


@pytest.fixture(scope="session")
def read():
    """Read a body, given in pieces, as that provider's answer."""

    def all_of(*pieces, provider="glm"):
        reader = AnswerReader(dialect=DIALECTS[provider], model="asked")
        found = Assembly()
        for piece in pieces:
            for delta in () if reader.done else reader.feed(piece):
                found.add(delta)
        for delta in () if reader.done else reader.end():
            found.add(delta)
        return Read(found, reader)

    return all_of


@pytest.fixture(params=list(DIALECTS))
def provider(request):
    return request.param


@pytest.fixture
async def raw_service(nursery):
    """Serve these bytes to every request; gives the origin, and a list of the requests' heads. `hold`: never hang up."""

    async def serve(response, *, hold=False):
        asked = []

        async def answer(stream):
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some(65536)
            head, _, body = head.partition(b"\r\n\r\n")
            await _rest_of(stream, head, body)
            asked.append(head)
            await stream.send_all(response)
            if hold:
                await trio.sleep_forever()
            await stream.aclose()

        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", asked

    return serve


async def _rest_of(stream, head, body):
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    size = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
    while len(body) < size:
        body += await stream.receive_some(65536)
