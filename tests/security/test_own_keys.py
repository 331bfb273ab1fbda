"""Our keys for providers stand in no error, log, table or answer, whatever a service quotes."""

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio
from free_ports import free_port
from hypothesis import given, strategies as st

from exai_trio.config import Config
from exai_trio.errors import ProviderError
from exai_trio.observability.redaction import (
    LEAST_PART,
    MASK,
    KnownSecrets,
    Redaction,
    without_credentials,
)
from exai_trio.providers.attempts import Deaf
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.gateway import open_gateway

EXAI = [sys.executable, "-m", "exai_trio"]
GLM_KEY = "0123456789abcdef0123456789abcdef.canaryCANARY1234"
KIMI_KEY = "plainCanaryOfTheOtherKind-0987654321"
FURTHER_KEY = "FURTHER+canary/of=a.third-kind_42"
KEYS = {"glm": GLM_KEY, "kimi": KIMI_KEY, "further": FURTHER_KEY}
MODELS = {"glm": "glm-4.5-flash", "kimi": "kimi-k2.6", "further": "further/any"}
KNOWN = KnownSecrets.of(KEYS.values())


def holds_a_part(text):
    """The longest part of a key in the text, if it tells something."""
    low = text.lower()
    return next(
        (
            part
            for key in KEYS.values()
            for at in range(len(key) - LEAST_PART + 1)
            if (part := key[at : at + LEAST_PART].lower()) in low
        ),
        None,
    )


SPOILT = {
    "as it is": lambda key: key,
    "small": str.lower,
    "capital": str.upper,
    "swapped": str.swapcase,
    "twice": lambda key: key + key,
    "a beginning": lambda key: key[:LEAST_PART],
    "a longer beginning": lambda key: key[:20] + "...",
    "an end": lambda key: "***" + key[-LEAST_PART:],
    "a middle": lambda key: key[5 : 5 + LEAST_PART],
    "beginning and end": lambda key: key[:12] + "…" + key[-12:],
    "in quotes": lambda key: f"'{key}'",
    "behind Bearer": lambda key: f"Bearer {key}",
    "behind a colon": lambda key: f"authorization: Bearer {key}, x-api-key:{key}",
    "in an address": lambda key: f"https://x/?key={key}&a=b",
    "among letters": lambda key: f"é{key}é",
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_in_a_text(key, how):
    """In any case and in any part: masked, and the rest of the text stays."""
    text = KNOWN.masked(f"before {SPOILT[how](key)} after")

    assert holds_a_part(text) is None
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert MASK in text


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(list(KEYS.values())), st.data())
def test_any_part_in_any_text(before, after, key, data):
    """Parts of twelve characters and more never come through."""
    start = data.draw(st.integers(0, len(key) - LEAST_PART))
    end = data.draw(st.integers(start + LEAST_PART, len(key)))
    part = data.draw(st.sampled_from([str, str.lower, str.upper]))(key[start:end])

    text = KNOWN.masked(before + part + after)

    assert holds_a_part(text) is None


@given(st.text())
def test_other_texts_stay(text):
    """Nothing else is touched."""
    assert text == KNOWN.masked(text)


def test_short_keys_are_words():
    """What somebody sets for a service that wants none does not spoil answers."""
    assert "not-needed here" == KnownSecrets.of(["not-needed", ""]).masked("not-needed here")


def test_long_texts_are_searched_quickly():
    """Megabytes of answer, and thousands of places that look like a key, take a moment."""
    much = ("so much text " * 400_000) + ("0123456789a " * 5_000) + GLM_KEY

    assert KNOWN.masked(much).endswith(MASK)


@pytest.mark.parametrize(
    "value", ["abc", "tok-1", "x.y.z", "token1", '"abcdef"', "sk-12345678", "0" * 40]
)
@pytest.mark.parametrize(
    "label", ["Bearer ", "bearer ", "BEARER\t", "Bearer: ", "Bearer%20", "Bearer  "]
)
def test_what_stands_behind_bearer(label, value):
    """Whosever it is, a service's words are told without it."""
    assert value.strip('"') not in without_credentials(f"got {label}{value}, try again")


@pytest.mark.parametrize(
    "words",
    ["no bearer token was sent", "Bearer authentication is required", "the bearer is not known"],
)
def test_words_about_bearers_stay(words):
    """The word alone is no secret."""
    assert words == without_credentials(words)


def test_logs_know_parts():
    """A log line is as clean as an answer."""
    rules = Redaction.knowing(KEYS.values())

    assert holds_a_part(rules.text(f"x {GLM_KEY[3:20].upper()} {KIMI_KEY.lower()}")) is None


async def _echoing(stream, status, body_of):
    """Refuses one request, quoting its Authorization header."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some(65536)
    head, _, body = head.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    size = next((int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length")), 0)
    while len(body) < size:
        body += await stream.receive_some(65536)
    signed = next(
        (x.partition(": ")[2] for x in lines if x.lower().startswith("authorization")), ""
    )
    said = body_of(signed, signed.partition(" ")[2]).encode()
    kind = "text/event-stream" if said.startswith(b"data:") else "application/json"
    answer = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nX-Echo: {signed}\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n"
    await stream.send_all(answer.encode() + said)
    await stream.aclose()


def _event(delta, finish=None, **more):
    return (
        f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': finish}], **more})}\n\n"
    )


QUOTED = {
    "in a message": lambda _, key: json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}),
    "in small letters": lambda _, key: json.dumps({"error": {"message": f"Incorrect key {key.lower()}"}}),
    "in parts": lambda _, key: json.dumps({"error": {"message": f"Incorrect key {key[:16]}***{key[-14:]}"}}),
    "with its header": lambda signed, _: json.dumps({"error": {"message": f"refused (Authorization: {signed})"}}),
    "as a code": lambda _, key: json.dumps({"error": {"code": key, "type": key, "message": "no"}}),
    "in text": lambda signed, _: f"no: {signed}",
    "in a page": lambda signed, _: f"<html><title>{signed}</title></html>",
    "in an unknown shape": lambda signed, key: json.dumps({"hint": {key: signed}}),
}  # fmt: skip
ANSWERED = {
    "in the text": lambda _, key: _event({"content": f"your key is {key}"}, "stop"),
    "in the thoughts": lambda _, key: _event({"reasoning_content": key, "content": "yes"}, "stop"),
    "in a call": lambda _, key: _event({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"k": key}}}]}, "stop"),
    "in the model's name": lambda _, key: _event({"content": "yes"}, "stop", model=key),
    "in a result": lambda _, key: _event({"content": "yes"}, "stop", web_search=[{"title": key, "x": {"y": [key]}}]),
    "in the end": lambda _, key: _event({"content": "yes"}, f"stop {key}"),
    "behind the end": lambda _, key: _event({"content": "yes"}, "stop") + _event({}, error={"message": key}),
}  # fmt: skip


@pytest.fixture
async def config_at(nursery, tmp_path):
    """Settings with the three keys, for a service that answers like that."""

    async def at(status, body_of):
        handler = partial(_echoing, status=status, body_of=body_of)
        listeners = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
        origin = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        file = tmp_path / "providers.toml"
        file.write_text(
            f'[[provider]]\nname = "further"\nbase_url = "{origin}/v1"\nkey_variable = "FURTHER_KEY"\n'
        )
        return attrs.evolve(
            Config(), home=tmp_path / "home", circuit_breaker_enabled=False, providers_file=file,
            glm_api_url=f"{origin}/v4", kimi_api_url=f"{origin}/v1", glm_api_key=GLM_KEY,
            kimi_api_key=KIMI_KEY, provider_keys={"FURTHER_KEY": FURTHER_KEY},
        )  # fmt: skip

    return at


@attrs.frozen
class Hearing(Deaf):
    """Everything that a caller is told while it waits."""

    heard: list = attrs.field(factory=list)

    def stage(self, stage, message):
        self.heard.append(message)

    def chunk(self, text):
        self.heard.append(text)


async def told(config, provider):
    """Everything that a caller of that provider hears and gets."""
    hearing = Hearing()
    request = ChatRequest(model="", messages=(Message(role="user", text="x"),))
    async with open_gateway(config) as gateway:
        gateway._random = lambda: 0.0
        try:
            answer = await gateway.chat(gateway.choose(MODELS[provider]), request, hearing)
        except ProviderError as error:
            return repr([error.message, error.details, *hearing.heard])
        return repr([attrs.asdict(answer), *hearing.heard])


@pytest.mark.real
@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize(
    ("how", "status"),
    [
        (how, status)
        for place, how in enumerate(QUOTED)
        for status in ((400, 200), (401, 429))[place % 2]
    ],
)
async def test_a_refusal_that_quotes_the_key(config_at, provider, status, how):
    """In no error, nor in what is said between two attempts."""
    config = await config_at(status, QUOTED[how])

    assert holds_a_part(await told(config, provider)) is None


@pytest.mark.real
@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("how", ANSWERED)
async def test_an_answer_that_quotes_the_key(config_at, provider, how):
    """In no part of an answer, its headers among them."""
    config = await config_at(200, ANSWERED[how])

    assert holds_a_part(await told(config, provider)) is None


@asynccontextmanager
async def serving(environ, cwd):
    """`exai serve` until the context is left."""
    async with trio.open_nursery() as running:
        process = await running.start(
            partial(
                trio.run_process,
                [*EXAI, "serve"],
                env=environ,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        )
        line = b""
        while b"WebSocket" not in line:
            line += await process.stdout.receive_some(4096)
        yield
        process.terminate()


@pytest.mark.real
@pytest.mark.parametrize("provider", ["glm", "further"])
async def test_what_lies_in_the_home(config_at, tmp_path, provider):
    """A daemon that was refused: neither its answer, nor a log or table of it, holds the key."""
    config = await config_at(401, QUOTED["with its header"])
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "ENV_FILE": os.devnull, "EXAI_HOME": str(config.home),
        "EXAI_WS_PORT": str(free_port()), "HEALTH_CHECK_PORT": "0", "MONITORING_PORT": "0", "INCIDENTS_PORT": "0", "LOG_LEVEL": "DEBUG",
        "GLM_API_KEY": GLM_KEY, "KIMI_API_KEY": KIMI_KEY, "FURTHER_KEY": FURTHER_KEY, "GLM_API_URL": config.glm_api_url,
        "KIMI_API_URL": config.kimi_api_url, "EXAI_PROVIDERS_FILE": str(config.providers_file),
    }  # fmt: skip
    asking = [*EXAI, "call", "chat", "prompt=x", f"model={MODELS[provider]}"]

    async with serving(environ, tmp_path):
        said = await trio.run_process(
            asking, env=environ, cwd=tmp_path, capture_stdout=True, capture_stderr=True, check=False
        )

    everything = [
        said.stdout,
        said.stderr,
        *(p.read_bytes() for p in config.home.rglob("*") if p.is_file()),
    ]
    assert b"refused (" in said.stdout + said.stderr
    assert [] == [
        part for each in everything if (part := holds_a_part(each.decode(errors="replace")))
    ]
