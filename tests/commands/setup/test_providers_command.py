"""`exai providers detect | add | test | remove`, in this process, against the simulator's servers."""

import json
import stat
import threading
from functools import partial

import attrs
import pytest
import trio

from exai_trio.cli import main
from exai_trio.commands.setup.providers_on_disk import add_server
from exai_trio.config import Config
from exai_trio.providers.local_servers import (
    detect as detect_module,
    known_models,
    look as look_module,
)
from exai_trio.providers.local_servers.addresses import Address
from exai_trio.providers.local_servers.look import Server
from exai_trio.simulator.local_models.local_site import serve_local
from exai_trio.simulator.local_models.server_bodies import USUAL

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """The machine may be busy."""
    monkeypatch.setattr(look_module.look, "__kwdefaults__", {"list_s": 30.0})
    monkeypatch.setattr(look_module, "DETAILS_S", 30.0)
    monkeypatch.setattr(known_models, "FIRST_S", 30.0)
    monkeypatch.setattr(detect_module, "MOST_S", 60.0)


@pytest.fixture
def own(tmp_path):
    return tmp_path / ".config" / "exai"


@pytest.fixture
def servers(monkeypatch):
    """Serve these in a thread of their own, and let them be all that is looked at; their ports."""
    ended = []

    def start(*given):
        ports, ready, scope = [], threading.Event(), trio.CancelScope()
        started = {}

        async def serve():
            started["token"] = trio.lowlevel.current_trio_token()
            with scope:
                async with trio.open_nursery() as nursery:
                    for server in given:
                        origin = await nursery.start(partial(serve_local, server))
                        ports.append(int(origin.rpartition(":")[2]))
                    ready.set()

        thread = threading.Thread(target=trio.run, args=(serve,))
        thread.start()
        assert ready.wait(20)
        ended.append((started["token"], scope, thread))
        monkeypatch.setattr(
            detect_module, "usual", lambda _: tuple(Address("127.0.0.1", port) for port in ports)
        )
        return ports

    start.stop = lambda: [_end(*each) for each in ended]
    yield start
    start.stop()


def _end(token, scope, thread):
    if thread.is_alive():
        trio.from_thread.run_sync(scope.cancel, trio_token=token)
        thread.join(20)


def test_servers_are_listed_with_what_to_do(servers, capsys):
    """What they are, what their models hold, and the command that comes next. Nothing is written."""
    (port, _) = servers(USUAL["llama-server"], attrs.evolve(USUAL["vllm"], key="k"))

    assert 0 == main(["providers", "detect"])
    said = capsys.readouterr()
    assert f"llama-server: llama-server at http://127.0.0.1:{port}/v1" in said.out
    assert "  SmolLM2-135M-Instruct.Q4_1.gguf (1,024 tokens)" in said.out.splitlines()
    assert "wants a key: `exai providers add" in said.out
    assert "`exai providers add llama-server`" in said.err


def test_servers_are_listed_as_json(servers, capsys):
    """For programs."""
    servers(USUAL["ollama"])

    assert 0 == main(["providers", "detect", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert ("ollama", "Ollama", True, False) == (
        found["name"],
        found["kind"],
        found["ours"],
        found["wants_key"],
    )
    assert {"name": "llama3.2:latest", "context_window": 8192} == found["models"][0]


def test_nothing_there_is_said(servers, capsys, monkeypatch):
    """With what one can do; and an OPENAI_BASE_URL is offered, without its password."""
    servers()
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:canary@models.example/v1")

    assert 1 == main(["providers", "detect"])
    said = capsys.readouterr().err
    assert "no model server answers on the ports 11434, 1234, 8080, 8000" in said
    assert "--url https://<hidden>@models.example/v1" in said
    assert "canary" not in said


def test_the_only_server_is_added_without_its_name(servers, own, capsys):
    """Into a file of the user's alone, which their own settings name; twice is once."""
    (port,) = servers(USUAL["vllm"])

    assert [0, 0] == [main(["providers", "add"]), main(["providers", "add"])]
    file = own / "providers.toml"
    assert (
        f'[[provider]]\nname = "vllm"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
        == file.read_text()
    )
    assert f"EXAI_PROVIDERS_FILE={file}\n" == (own / "settings.env").read_text()
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in own.iterdir()}
    assert "vllm/Qwen/Qwen2.5-1.5B-Instruct (32,768 tokens)" in capsys.readouterr().out


def test_which_of_several_is_to_be_said(servers, capsys, own):
    """The line names the command for each."""
    servers(USUAL["vllm"], USUAL["ollama"])

    assert 2 == main(["providers", "add"])
    assert "`exai providers add vllm`, or ollama" in capsys.readouterr().err
    assert 0 == main(["providers", "add", "ollama"])
    assert 'name = "ollama"' in (own / "providers.toml").read_text()


def test_a_name_that_was_not_found_is_told_with_those_that_were(servers, capsys):
    """And how to name an address."""
    servers(USUAL["vllm"])

    assert 2 == main(["providers", "add", "olama"])
    assert "found: vllm" in capsys.readouterr().err


@pytest.mark.parametrize("why", ["another user's", "a key"])
def test_what_is_not_ours_or_wants_a_key_is_not_added_without_an_address(
    servers, own, capsys, monkeypatch, why
):
    """The user has to name it, and the line says how."""
    servers(attrs.evolve(USUAL["vllm"], key="k" if why == "a key" else ""))
    if why == "another user's":
        monkeypatch.setattr(detect_module, "listener_uids", lambda _port: frozenset({54_321}))

    assert 2 == main(["providers", "add"])
    assert why in capsys.readouterr().err
    assert not own.exists()


def test_an_address_is_added_whoever_is_there(servers, own, capsys, unused_tcp_port):
    """Also where nobody answers yet; a key is named by its variable, and it is said where it is missing."""
    url = f"127.0.0.1:{unused_tcp_port}"

    assert 0 == main(["providers", "add", "mine", "--url", url, "--key-variable", "MY_API_KEY"])
    said = capsys.readouterr().err
    assert "nobody answers there now" in said
    assert "`exai config set MY_API_KEY` asks for it" in said
    assert (
        f'base_url = "http://{url}/v1"\nkey_variable = "MY_API_KEY"'
        in (own / "providers.toml").read_text()
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["glm", "--url", "http://x"], "`exai config set GLM_API_KEY`"),
        (["x", "--url", "ftp://x"], "http://127.0.0.1:8080/v1"),
        (["Bad Name", "--url", "http://x"], "is no provider name"),
        (["x", "--url", "http://x", "--key-variable", "SECRET"], "must end in _KEY or _TOKEN"),
    ],
)
def test_a_mistake_is_answered_with_what_is_right(words, hint, own, capsys):
    """Nothing is written."""
    assert 2 == main(["providers", "add", *words])
    assert hint in capsys.readouterr().err
    assert not (own / "providers.toml").exists()


def test_a_name_is_not_given_twice(own, capsys):
    """The first one stays."""
    assert 0 == main(["providers", "add", "x", "--url", "http://192.0.2.1"])
    before = (own / "providers.toml").read_text()

    assert 2 == main(["providers", "add", "x", "--url", "http://192.0.2.2"])
    assert "`exai providers remove x`" in capsys.readouterr().err
    assert before == (own / "providers.toml").read_text()


def test_a_file_that_is_broken_is_left_alone(own, capsys):
    """It says where."""
    own.mkdir(parents=True)
    (own / "providers.toml").write_text("[[provider]\n")

    assert 2 == main(["providers", "add", "x", "--url", "http://192.0.2.1"])
    assert "line 1" in capsys.readouterr().err
    assert "[[provider]\n" == (own / "providers.toml").read_text()


def test_the_file_that_is_named_is_the_one_that_is_changed(tmp_path, own, monkeypatch):
    """EXAI_PROVIDERS_FILE of the environment, and then nothing is written into the user's own settings."""
    monkeypatch.setenv("EXAI_PROVIDERS_FILE", str(tmp_path / "team.toml"))

    assert 0 == main(["providers", "add", "x", "--url", "http://192.0.2.1"])
    assert 'name = "x"' in (tmp_path / "team.toml").read_text()
    assert not own.exists()
    assert 0 == main(["providers", "remove", "x"])
    assert "" == (tmp_path / "team.toml").read_text()


@pytest.mark.real
def test_providers_are_tried(servers, own, capsys):
    """One real question each; who does not answer is a fault, with the reason."""
    servers(USUAL["llama-server"])
    assert 0 == main(["providers", "add"])
    capsys.readouterr()

    assert 0 == main(["providers", "test"])
    said = capsys.readouterr().out
    assert said.startswith("ok    llama-server: SmolLM2-135M-Instruct.Q4_1.gguf answered in ")
    assert said.endswith("(1,024 tokens)\n")

    servers.stop()
    assert 1 == main(["providers", "test", "llama-server"])
    assert capsys.readouterr().out.startswith("FAULT llama-server: ")


@pytest.mark.parametrize("words", [[], ["nobody"]])
def test_who_is_not_there_is_not_tried(words, capsys):
    """The line says what is."""
    assert 2 == main(["providers", "test", *words])
    assert "`exai providers" in capsys.readouterr().err


def test_a_server_is_added_for_other_commands(tmp_path):
    """`add_server` gives the provider's name, the old one where the server is there already."""
    own_file = tmp_path / "c" / "settings.env"
    server = Server(address=Address("127.0.0.1", 7), kind="Ollama")
    first = add_server(server, Config(), own_file)

    assert ("ollama", "ollama") == (first, add_server(server, Config(), own_file, name="other"))
    assert "ollama-2" == add_server(
        attrs.evolve(server, address=Address("127.0.0.1", 8)), Config(), own_file
    )
