"""The four model servers of a machine, as a process and as what they say."""

import subprocess
import sys
from functools import partial

import attrs
import pytest
import trio

from exai_trio.commands.options import parser
from exai_trio.simulator.local_models.local_site import serve_local
from exai_trio.simulator.local_models.server_bodies import KINDS, USUAL

pytestmark = pytest.mark.real
ASKED = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def at(nursery, connect):
    """An HTTP client at one of them, with or without a key."""

    async def start(kind, key=""):
        server = attrs.evolve(USUAL[kind], key=key)
        return connect(await nursery.start(partial(serve_local, server)))

    return start


@pytest.mark.parametrize("kind", KINDS)
async def test_each_can_be_started_as_a_process(nursery, connect, kind):
    """`exai simulate --as KIND` says where it serves, and ends with its stdin."""
    words = [sys.executable, "-P", "-m", "exai_trio", "simulate", "--as", kind, "--until-eof"]
    run = partial(trio.run_process, words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = await nursery.start(run)
    line = b""
    while not line.endswith(b"\n"):
        line += await process.stdout.receive_some(1000)
    origin = line.decode().split('"')[3]
    async with connect(origin) as http:
        listed = (await http.get("/v1/models")).json()
    await process.stdin.aclose()

    assert [model.name for model in USUAL[kind].models] == [one["id"] for one in listed["data"]]
    assert 0 == await process.wait()


def test_the_command_knows_them_all():
    """Its choices are the kinds that there are; the shim must not load them to say so."""
    for kind in KINDS:
        assert kind == parser().parse_args(["simulate", "--as", kind]).local


@pytest.mark.parametrize("kind", KINDS)
async def test_a_chat_is_answered_whole_or_streamed(at, kind):
    """By the model that was asked, with what it counted."""
    async with await at(kind) as http:
        name = USUAL[kind].models[-1].name
        whole = (await http.post("/v1/chat/completions", json={**ASKED, "model": name})).json()
        streamed = await http.post(
            "/v1/chat/completions", json={**ASKED, "model": name, "stream": True}
        )

    assert name in whole["choices"][0]["message"]["content"]
    assert whole["usage"]["prompt_tokens"] > 0
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_prompt_over_the_window(at, kind):
    """All refuse it but Ollama, which reads its end only and counts that."""
    model = USUAL[kind].models[-1]
    messages = [{"role": "user", "content": "word " * model.window}]
    async with await at(kind) as http:
        said = await http.post(
            "/v1/chat/completions", json={"model": model.name, "messages": messages}
        )

    if kind == "ollama":
        assert (200, model.window) == (said.status_code, said.json()["usage"]["prompt_tokens"])
    else:
        assert (400, True) == (
            said.status_code,
            str(model.window) in said.json()["error"]["message"],
        )


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_that_is_missing(at, kind):
    """Nobody is answered, but that llama-server tells its models to everybody."""
    async with await at(kind, key="k") as http:
        listed = await http.get("/v1/models")
        chat = await http.post("/v1/chat/completions", json=ASKED)
        let_in = await http.get("/v1/models", headers={"Authorization": "Bearer k"})

    assert (200 if kind == "llama-server" else 401) == listed.status_code
    assert (401, 200) == (chat.status_code, let_in.status_code)


async def test_what_is_not_there(at):
    """LM Studio answers 200 to anything; the others 404, and an unknown model is one too."""
    async with await at("lm-studio") as http:
        assert "Unexpected endpoint" in (await http.get("/api/version")).json()["error"]
    async with await at("vllm") as http:
        assert 404 == (await http.get("/api/version")).status_code
        unknown = await http.post("/v1/chat/completions", json={**ASKED, "model": "x"})
        broken = await http.post("/v1/chat/completions", content=b"{")

    assert (404, 400) == (unknown.status_code, broken.status_code)
