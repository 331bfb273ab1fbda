"""What is known of the models of local servers, and what a gateway makes of it."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import NotFoundError, PromptTooLongError, ProviderTimeoutError
from exai_trio.providers.base import OfferedModel
from exai_trio.providers.catalogue import last_part, load_catalogue
from exai_trio.providers.gateway import open_gateway
from exai_trio.providers.local_servers import known_models
from exai_trio.providers.local_servers.known_models import KnownModels, described
from exai_trio.providers.local_servers.look import Server
from exai_trio.providers.providers_file import LOCAL_S, parse_providers
from exai_trio.simulator.local_models.server_bodies import USUAL, LocalModel

real = pytest.mark.real


@pytest.fixture
def gateway_at(tmp_path):
    """A gateway without keys whose providers file names these servers."""

    @asynccontextmanager
    async def open_at(further="", **addresses):
        file = tmp_path / "providers.toml"
        file.write_text(
            "\n".join(
                f'[[provider]]\nname = "{name}"\nbase_url = "{address.base_url}"'
                for name, address in addresses.items()
            )
            + further
        )
        async with open_gateway(Config(providers_file=file)) as gateway:
            yield gateway

    return open_at


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/models/a/b.gguf", "b.gguf"),
        ("models/b.gguf", "b.gguf"),
        ("C:\\models\\b.gguf", "b.gguf"),
        ("/models/qwen/", "qwen"),
        ("~/qwen", "qwen"),
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("llama3.2:latest", "llama3.2:latest"),
    ],
)
def test_a_path_is_shown_as_its_last_part(name, shown):
    """Names with a slash that are no paths stay as they are."""
    assert shown == last_part(name)


def test_two_paths_with_one_last_part_keep_theirs():
    """Else one of them could not be asked."""
    offered = tuple(OfferedModel(name=name) for name in ("/a/m.gguf", "/b/m.gguf", "/c/n.gguf"))

    assert ["/a/m.gguf", "/b/m.gguf", "n.gguf"] == [model.name for model in described("x", offered)]


@real
async def test_models_and_windows_come_from_the_server(served, gateway_at):
    """The file names the server alone; a path is shown as its last part, and asked for as the server calls it."""
    address, _ = await served("llama-server")
    async with gateway_at(llama=address) as gateway:
        await gateway.look_again()
        (model,) = gateway.models()

    assert ("SmolLM2-135M-Instruct.Q4_1.gguf", 1024, "llama") == (
        model.name,
        model.context_window,
        model.provider,
    )
    assert "/models/SmolLM2-135M-Instruct.Q4_1.gguf" == model.served_as
    assert not model.sees


@real
async def test_a_file_goes_before_the_server(served, gateway_at):
    """A window that the user has written holds."""
    address, _ = await served("llama-server")
    own = '\n[[provider.model]]\nname = "SmolLM2-135M-Instruct.Q4_1.gguf"\ncontext_window = 512'
    async with gateway_at(own, llama=address) as gateway:
        await gateway.look_again()
        (model,) = gateway.models()

    assert 512 == model.context_window
    assert model.served_as


@real
@pytest.mark.parametrize(
    "name", ["llama/SmolLM2-135M-Instruct.Q4_1.gguf", "smol", "llama/smol", "", "auto"]
)
async def test_it_is_asked_by_any_part_of_its_name(served, gateway_at, question, hearing, name):
    """And, where nothing else is configured, by none. The answer names it as it is shown, the server was asked for its path."""
    address, _ = await served("llama-server")
    async with gateway_at(llama=address) as gateway:
        await gateway.look_again()
        choice = gateway.choose(name)
        answer = await gateway.chat(choice, question("hello"), hearing)

    assert "SmolLM2-135M-Instruct.Q4_1.gguf" == answer.model_used
    assert answer.notice is None
    assert "[simulated] /models/SmolLM2" in answer.text


@real
async def test_a_server_is_asked_by_the_name_that_it_has_given(
    served, gateway_at, question, hearing
):
    """vLLM knows a model by its whole path and by nothing else."""
    model = LocalModel(name="/data/models/qwen")
    address, _ = await served(attrs.evolve(USUAL["vllm"], models=(model,)))
    async with gateway_at(vllm=address) as gateway:
        await gateway.look_again()
        answer = await gateway.chat(gateway.choose("vllm/qwen"), question("hello"), hearing)

    assert ("qwen", None) == (answer.model_used, answer.notice)


@real
async def test_a_part_that_several_have_is_refused_with_their_names(served, gateway_at):
    """Nothing is guessed; Ollama's own latest goes before other tags."""
    ollama = attrs.evolve(
        USUAL["ollama"],
        models=tuple(
            LocalModel(name=name) for name in ("qwen:latest", "qwen:7b", "gemma:2b", "gemma:9b")
        ),
    )
    address, _ = await served(ollama)
    async with gateway_at(ollama=address) as gateway:
        await gateway.look_again()

        assert "qwen:latest" == gateway.choose("qwen").model.name
        with pytest.raises(NotFoundError, match="ollama/gemma:2b, ollama/gemma:9b"):
            gateway.choose("gemma")


@real
async def test_a_window_that_nobody_knows_is_said(served, gateway_at):
    """Ollama does not say with how much it would load a model, and cuts what does not fit."""
    address, _ = await served("ollama")
    async with gateway_at(ollama=address) as gateway:
        await gateway.look_again()

        assert "holds is not known" in gateway.choose("qwen2.5-coder").notice
        assert gateway.choose("llama3.2").notice is None
        assert "llama3.2:latest" == gateway.choose("auto").model.name  # it is loaded


@real
async def test_what_the_server_cannot_take_is_an_error_that_says_so(
    served, gateway_at, question, hearing
):
    """llama-server's own words for a prompt over its window, asked once."""
    address, seen = await served("llama-server")
    own = '\n[[provider.model]]\nname = "m"\ncontext_window = 100000'
    async with gateway_at(own, llama=address) as gateway:
        with pytest.raises(PromptTooLongError, match="context size"):
            await gateway.chat(gateway.choose("llama/m"), question("word " * 2000), hearing)

    assert 1 == [method for method, _, _ in seen.requests].count("POST")


@real
async def test_a_server_that_comes_later_is_found(served, gateway_at, monkeypatch, unused_tcp_port):
    """And one that goes keeps what it had."""
    monkeypatch.setattr(known_models, "FRESH_S", 0)
    address, _ = await served("vllm")
    known = KnownModels.of(
        parse_providers(
            f'[[provider]]\nname="v"\nbase_url="{address.base_url}"', load_catalogue(), {}, 60
        ).endpoints
    )
    silent = trio.Event()

    async def look(place, key, **more):
        return None if silent.is_set() else await real_look(place, key, **more)

    real_look = known_models.look
    monkeypatch.setattr(known_models, "look", look)
    silent.set()
    await known.refresh()
    nothing = known.added_to(load_catalogue()).find("Qwen/Qwen2.5-1.5B-Instruct")
    silent = trio.Event()
    await known.refresh()
    silent.set()
    await known.refresh()

    assert nothing is None
    assert known.added_to(load_catalogue()).find("Qwen/Qwen2.5-1.5B-Instruct").provider == "v"


async def test_a_server_is_not_asked_for_every_call(autojump_clock, monkeypatch):
    """What is a few seconds old is good enough; many at once ask once."""
    asked = []

    async def look(address, _key, *, list_s):
        asked.append((address.port, list_s))
        await trio.sleep(0.5)
        return Server(address=address)

    monkeypatch.setattr(known_models, "look", look)
    text = '[[provider]]\nname="v"\nbase_url="http://127.0.0.1:7/v1"'
    known = KnownModels.of(parse_providers(text, load_catalogue(), {}, 60).endpoints)
    async with trio.open_nursery() as calls:
        for _ in range(20):
            calls.start_soon(known.refresh)
    await trio.sleep(known_models.FRESH_S + 1)
    await known.refresh()

    assert [(7, known_models.FIRST_S), (7, known_models.LIST_S)] == asked  # it is known by then
    assert known_models.LIST_S < 1


async def test_who_has_no_local_server_waits_for_nothing():
    """GLM, Kimi and endpoints elsewhere are not looked at."""
    text = '[[provider]]\nname="v"\nbase_url="https://models.example/v1"'
    known = KnownModels.of(parse_providers(text, load_catalogue(), {}, 60).endpoints)

    assert not await known.refresh()


def limits_of(text):
    (endpoint,) = parse_providers(
        f'[[provider]]\nname="v"\n{text}', load_catalogue(), {}, 60
    ).endpoints
    return endpoint.limits


def test_a_local_model_has_ten_minutes():
    """To its first byte, between bytes, and in all; what the file says holds, and what is elsewhere is not waited for so long."""
    local = limits_of('base_url="http://localhost:1/v1"')
    said = limits_of('base_url="http://localhost:1/v1"\nfirst_byte_s=5\nstream_s=9')
    elsewhere = limits_of('base_url="https://models.example/v1"')

    assert 600 == LOCAL_S == local.first_byte_s == local.idle_s == local.stream_s
    assert (5, 9) == (said.first_byte_s, said.stream_s)
    assert (30, 60, 300) == (elsewhere.first_byte_s, elsewhere.idle_s, elsewhere.stream_s)


@real
async def test_a_call_waits_for_a_local_model_before_its_first_word(
    gateway_at, raw, question, new_hearing
):
    """The call's own deadline moves as soon as the model is asked, and a limit that has passed is not tried again."""
    moved = []

    class Noting(new_hearing):
        def flows(self, until):
            moved.append(until - trio.current_time())
            return until

    address, heard = await raw(None)
    own = "\nfirst_byte_s = 0.2\nstream_s = 77"
    async with gateway_at(own, slow=address) as gateway:
        with pytest.raises(ProviderTimeoutError, match=r"no answer began within 0\.2 s"):
            await gateway.chat(gateway.choose("slow/m"), question(), Noting())

    assert [77, 77] == [round(seconds) for seconds in moved]
    assert 1 == len(heard)
