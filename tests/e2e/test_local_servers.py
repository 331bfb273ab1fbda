"""A daemon without any key, and the four model servers of a machine as the simulator plays them."""

import json
from functools import partial

import pytest
import trio

from exai_trio.simulator.local_models.local_site import Seen, serve_local
from exai_trio.simulator.local_models.server_bodies import KINDS, USUAL

pytestmark = pytest.mark.real

# The model that is asked where none is named: the one that is loaded.
FIRST = {
    "ollama": "llama3.2:latest",
    "llama-server": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "lm-studio": "gemma-3-4b-it",
    "vllm": "Qwen/Qwen2.5-1.5B-Instruct",
}


@pytest.fixture
def daemon_with(nursery, new_place, start):
    """Serve one of the four and start a daemon whose providers file has its address; the daemon's place, and what the server saw."""

    async def run(kind):
        seen = Seen()
        origin = await nursery.start(partial(serve_local, USUAL[kind], seen=seen))
        place = new_place()
        file = place.home / "providers.toml"
        file.write_text(f'[[provider]]\nname = "mine"\nbase_url = "{origin}/v1"\n')
        await trio.to_thread.run_sync(partial(start, place, EXAI_PROVIDERS_FILE=str(file)))
        return place, seen

    return run


async def told(client, name, **arguments):
    """The outcome of one call."""
    request_id = f"r-{name}-{len(arguments)}-{trio.current_time()}"
    await client.call(request_id, name=name, **arguments)
    with trio.fail_after(60):
        while True:
            frame = json.loads(await client.socket.get_message())
            if frame["op"] == "call_tool_res" and frame["request_id"] == request_id:
                return frame


@pytest.mark.parametrize("kind", KINDS)
async def test_each_of_them_answers_without_a_key_or_a_name(daemon_with, kind):
    """A chat, a list of models, and the end of a workflow; the server hears no key."""
    place, seen = await daemon_with(kind)
    async with place.client() as client:
        chat = json.loads((await told(client, "chat", prompt="Are you there?"))["text"])
        listed = json.loads((await told(client, "listmodels"))["text"])["content"]
        step = {
            "step": "All seen.",
            "step_number": 1,
            "total_steps": 1,
            "next_step_required": False,
        }
        judged = json.loads((await told(client, "thinkdeep", findings="None.", **step))["text"])

    assert (FIRST[kind], "mine") == (
        chat["metadata"]["model_used"],
        chat["metadata"]["provider_used"],
    )
    assert "notice" not in chat["metadata"]
    assert f"Asked when none is named: {FIRST[kind]}" in listed
    assert FIRST[kind] == judged["metadata"]["model_used"]
    posts = [path for method, path, _ in seen.requests if method == "POST"]
    assert ["/v1/chat/completions"] * 2 == posts
    assert not any(keyed for method, _, keyed in seen.requests if method == "GET")


async def test_what_ollama_cuts_without_a_word_is_said(daemon_with):
    """Of a model that was not loaded nobody knows the window: before, and when it was too small."""
    place, _ = await daemon_with("ollama")
    async with place.client() as client:
        answer = json.loads(
            (await told(client, "chat", prompt="word " * 20_000, model="coder"))["text"]
        )

    assert "qwen2.5-coder:7b" == answer["metadata"]["model_used"]
    assert "holds is not known" in answer["metadata"]["notice"]
    assert "seems to have cut the prompt" in answer["metadata"]["notice"]


@pytest.mark.parametrize("kind", ["llama-server", "vllm"])
async def test_what_is_over_the_window_is_not_sent(daemon_with, kind):
    """The server told what it holds."""
    place, seen = await daemon_with(kind)
    async with place.client() as client:
        outcome = await told(client, "chat", prompt="word " * 80_000)

    assert USUAL[kind].models[0].window == outcome["error"]["details"]["context_window"]
    assert not [method for method, _, _ in seen.requests if method == "POST"]
