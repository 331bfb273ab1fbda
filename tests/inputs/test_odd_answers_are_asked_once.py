"""An odd answer that came whole is one request, through GLM, Kimi and a further endpoint; a refusal keeps its words."""

import json
from contextlib import asynccontextmanager

import attrs
import pytest

from exai_trio.config import Config
from exai_trio.errors import ProviderBusyError, ProviderError, ProviderQuotaError
from exai_trio.providers import adapter
from exai_trio.providers.attempts import Deaf
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.gateway import open_gateway

pytestmark = pytest.mark.real

MODELS = {"glm": "glm-4.5-flash", "kimi": "kimi-k2.6", "further": "further/any"}
HEAD = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\n%s\r\n"


def response(body, status=b"200 OK", kind=b"text/event-stream", *, size=0):
    """`size`: bytes more than there are, so that the connection breaks off."""
    return HEAD % (status, kind, b"Content-Length: %d\r\n" % (len(body) + size)) + body


@pytest.fixture
def ask(tmp_path):
    """Ask that provider at an origin."""

    @asynccontextmanager
    async def opened(origin):
        file = tmp_path / "providers.toml"
        file.write_text(f'[[provider]]\nname = "further"\nbase_url = "{origin}/v1"\n')
        config = attrs.evolve(
            Config(), circuit_breaker_enabled=False, providers_file=file,
            glm_api_url=f"{origin}/v4", glm_api_key="0123456789abcdef.secret12345678",
            kimi_api_url=f"{origin}/v1", kimi_api_key="sk-0123456789abcdef",
        )  # fmt: skip
        async with open_gateway(config) as gateway:
            yield gateway

    async def one(origin, provider, listener=None):
        request = ChatRequest(model="", messages=(Message(role="user", text="x"),))
        async with opened(origin) as gateway:
            choice = gateway.choose(MODELS[provider])
            return await gateway.chat(choice, request, listener or Deaf())

    return one


def answers(streams):
    """Whole answers with one oddity each, and the text that is right."""
    event, chunk, done = streams.event, streams.chunk, streams.DONE
    stop = chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 2})
    yes = chunk({"content": "yes"})
    half = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n'
    return {
        "BOM": (b"\xef\xbb\xbf" + yes + stop + done, "yes"),
        "CR": ((yes + stop + done).replace(b"\n", b"\r"), "yes"),
        "single line ends": ((yes + stop + done).replace(b"\n\n", b"\n"), "yes"),
        "usage as text": (yes + chunk({}, "stop", usage={"prompt_tokens": "3"}) + done, "yes"),
        "usage as a fraction": (yes + chunk({}, "stop", usage={"prompt_tokens": 14417.92}) + done, "yes"),
        "model a number": (event({"model": 5, "choices": [{"delta": {"content": "yes"}}]}) + stop + done, "yes"),
        "search an object": (yes + chunk({}, "stop", web_search={"title": "t"}) + done, "yes"),
        "calls an object": (chunk({"content": "yes", "tool_calls": {}}) + stop + done, "yes"),
        "data null": (b"data: null\n\n" + yes + stop + done, "yes"),
        "parts": (chunk({"content": [{"type": "text", "text": "yes"}]}) + stop + done, "yes"),
        "blank behind the mark": (yes + stop + b"data: [DONE] \n\n", "yes"),
        "no mark": (yes + stop, "yes"),
        "pair of halves": (half % rb"\ud83d" + half % rb"\ude00" + stop + done, "😀"),
        "a half": (half % rb"bad \ud83d half" + stop + done, "bad \ufffd half"),
        "a bad byte": (half % b"y\xffs" + stop + done, "y\ufffds"),
        "unclosed thinking": (chunk({"content": "<think>yes"}) + stop + done, "yes"),
        "unopened thinking": (chunk({"content": "hm\n</think>\n\nyes"}) + stop + done, "yes"),
        "an error behind it": (yes + stop + event({"error": {"message": "late"}}) + done, "yes"),
        "stopped by a filter": (yes + chunk({}, "content_filter") + done, "yes"),
    }  # fmt: skip


NAMES = [
    "BOM", "CR", "single line ends", "usage as text", "usage as a fraction", "model a number", "search an object",
    "calls an object", "data null", "parts", "blank behind the mark", "no mark", "pair of halves", "a half", "a bad byte",
    "unclosed thinking", "unopened thinking", "an error behind it", "stopped by a filter",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_one_request(ask, raw_service, streams, provider, name):
    """The answer is given, and nothing is asked twice."""
    table = answers(streams)
    assert list(table) == NAMES
    body, text = table[name]
    origin, asked = await raw_service(response(body))

    answer = await ask(origin, provider)

    assert (text, 1) == (answer.text, len(asked))


async def test_a_connection_that_breaks_behind_the_end(ask, raw_service, streams, provider):
    """After the finish reason the answer is whole, however the connection ends."""
    origin, asked = await raw_service(
        response(streams.stream("yes").removesuffix(streams.DONE), size=50)
    )

    answer = await ask(origin, provider)

    assert ("yes", 3, 1) == (answer.text, answer.usage.input_tokens, len(asked))


async def test_a_connection_that_stays_open_behind_the_end(
    ask, raw_service, streams, provider, monkeypatch
):
    """What may still follow is waited for a little."""
    monkeypatch.setattr(adapter, "REST_S", 0.05)
    body = streams.stream("yes").removesuffix(streams.DONE)
    origin, asked = await raw_service(response(body, size=50), hold=True)

    answer = await ask(origin, provider)

    assert ("yes", 3, 1) == (answer.text, answer.usage.input_tokens, len(asked))


@pytest.mark.parametrize("reason", ["content_filter", "sensitive"])
async def test_a_filter_is_told(ask, raw_service, streams, provider, reason):
    """The answer says that it was cut, and by what."""
    origin, _ = await raw_service(
        response(streams.chunk({"content": "half"}, reason) + streams.DONE)
    )

    assert reason in (await ask(origin, provider)).notice


async def test_what_a_listener_hears_can_be_sent_on(ask, raw_service, streams, provider):
    """No chunk holds half a character."""
    heard = []

    class Listener(Deaf):
        def chunk(self, text):
            heard.append(text)

    half = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n'
    body = b"".join(half % part for part in (b"so ", rb"\ud83d", rb"\ude42", b" yes"))
    origin, _ = await raw_service(response(body + streams.chunk({}, "stop") + streams.DONE))

    answer = await ask(origin, provider, Listener())

    assert "so 🙂 yes" == answer.text == "".join(text.encode().decode() for text in heard)


@pytest.mark.parametrize(
    "refused",
    [
        (
            b"404 Not Found",
            {"detail": "Model glm-9 is not served here"},
            "Model glm-9 is not served here",
        ),
        (
            b"400 Bad Request",
            [{"error": {"code": 400, "message": "API key not valid."}}],
            r"API key not valid\.",
        ),
        (b"400 Bad Request", '{"error":{"message":"余额不足"}}'.encode("gbk"), "\ufffd"),
        (b"400 Bad Request", b'{"error":' * 50_000, "error"),
        (b"400 Bad Request", b"\xff\xfe\x00", "\ufffd"),
    ],
)
async def test_a_refusal_keeps_its_words(ask, raw_service, provider, refused):
    """A typed error with what the service said."""
    status, body, words = refused
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    origin, asked = await raw_service(response(body, status, b"application/json"))

    with pytest.raises(ProviderError, match=words):
        await ask(origin, provider)

    assert len(asked) == 1


async def test_a_code_decides_whatever_the_encoding(ask, raw_service):
    """No money is no money, in Latin-1 too."""
    body = '{"error":{"code":"1113","message":"Solde épuisé"}}'.encode("latin-1")
    origin, asked = await raw_service(response(body, b"429 Too Many Requests", b"application/json"))

    with pytest.raises(ProviderQuotaError, match="Solde"):
        await ask(origin, "glm")

    assert len(asked) == 1


async def test_a_rate_limit_within_a_stream_can_be_tried_again(ask, raw_service, streams):
    """Said without `data:` after the first words: the fault that it names."""
    error = b'{"error":{"message":"Rate limit reached for requests","code":"1302"}}\n\n'
    origin, _ = await raw_service(response(streams.chunk({"content": "one "}) + error))

    with pytest.raises(ProviderBusyError, match="Rate limit reached") as caught:
        await ask(origin, "glm")

    assert caught.value.retryable
