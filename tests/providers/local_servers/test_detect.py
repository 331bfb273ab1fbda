"""Which model servers there are: by what they answer, within a second, by GET alone."""

import json
import os

import attrs
import pytest
import trio

from exai_trio.providers.local_servers import detect as detect_module, look as look_module
from exai_trio.providers.local_servers.addresses import Address
from exai_trio.providers.local_servers.detect import MOST_S, Found, detect_at, named, usable
from exai_trio.providers.local_servers.look import Server, look
from exai_trio.simulator.local_models.server_bodies import KINDS, USUAL
from exai_trio.transport import peer_identity
from exai_trio.transport.loopback_get import MOST_BYTES
from exai_trio.transport.peer_identity import listener_uids

pytestmark = pytest.mark.real
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


def body(said, head=OK):
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    return head + b"Content-Length: %d\r\n\r\n" % len(data) + data


def models(*names, **more):
    return {"object": "list", "data": [{"id": name, **more} for name in names]}


@pytest.mark.parametrize(
    ("kind", "title", "windows"),
    [
        ("ollama", "Ollama", {"llama3.2:latest": 8192, "qwen2.5-coder:7b": None}),
        ("llama-server", "llama-server", {"/models/SmolLM2-135M-Instruct.Q4_1.gguf": 1024}),
        ("lm-studio", "LM Studio", {"gemma-3-4b-it": 8192, "qwen2.5-7b-instruct": None}),
        ("vllm", "vLLM", {"Qwen/Qwen2.5-1.5B-Instruct": 32_768}),
    ],
)
async def test_a_server_is_known_by_what_it_answers(served, kind, title, windows):
    """Its models with what they really hold, the loaded ones first; those for embeddings are none. By GET, without a key."""
    address, seen = await served(kind)
    server = await look(address)

    assert (title, False) == (server.kind, server.wants_key)
    assert list(windows.items()) == [(model.name, model.context_window) for model in server.models]
    assert {("GET", False)} == {(method, keyed) for method, _, keyed in seen.requests}


async def test_who_sees_images_says_so(served):
    """Where a server tells what its models take."""
    studio, _ = await served("lm-studio")
    llama, _ = await served("llama-server")

    assert [True, False] == [model.sees_images for model in (await look(studio)).models]
    assert [False] == [model.sees_images for model in (await look(llama)).models]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_wants_a_key_is_found(served, kind):
    """It is named as one, and cannot be used without asking."""
    address, _ = await served(attrs.evolve(USUAL[kind], key="secret"))
    (found,) = await detect_at([address])

    assert found.server.wants_key
    assert () == usable([found])


async def test_a_key_goes_where_it_is_meant_to_go(served):
    """A server that is configured with a key is asked with it."""
    address, _ = await served(attrs.evolve(USUAL["vllm"], key="secret"))

    assert (await look(address, "secret")).models


NO_SERVERS = {
    "HTML": body(b"<html>a page</html>", OK.replace(b"application/json", b"text/html")),
    "our own page": b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found",
    "our own page, from elsewhere": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno\n",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/v1/models\r\nContent-Length: 0\r\n\r\n",
    "JSON of something else": body({"status": "ok"}),
    "an error in a 200": body({"error": "Unexpected endpoint"}),
    "a list": body([1, 2]),
    "broken JSON": body(b'{"data": ['),
    "deep JSON": body(b'{"data":' + b"[" * 100_000),
    "no UTF-8": body(b'{"data": ["\xff"]}'),
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "nothing": b"",
    "half an answer": OK + b"Content-Length: 100\r\n\r\n{",
    "10 MiB of HTML": body(b"<html>" + b"x" * 10 * 2**20),
}


@pytest.mark.parametrize("answer", NO_SERVERS.values(), ids=NO_SERVERS)
async def test_what_is_no_model_server_is_none(raw, answer):
    """Whatever listens on such a port, looking at it ends with nothing found, and with one request."""
    address, heard = await raw(answer)

    assert () == await detect_at([address])
    assert 1 == len(heard)
    assert heard[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"authorization" not in heard[0].lower()


async def test_an_answer_without_end_is_none(raw):
    """More than any list has is not read on."""
    address, _ = await raw(body(models("m", x="y" * MOST_BYTES)))

    assert () == await detect_at([address])


@pytest.mark.parametrize("padding", [0, 900])
async def test_ten_thousand_models_are_models(raw, padding):
    """In some 10 MiB as well."""
    address, _ = await raw(
        body(models(*(f"m{number}" for number in range(10_000)), x="y" * padding))
    )
    (found,) = await detect_at([address])

    assert 10_000 == len(found.server.models)


async def test_odd_entries_are_left_out(raw):
    """A name that is none, a window that is none: what can be read is."""
    said = models("good", meta={"n_ctx": "many"}, max_model_len=-1)
    said["data"] += [
        None,
        3,
        {"id": 7},
        {"id": ""},
        {"id": "x" * 999},
        {"id": "a\x1b[2J"},
        {"id": "b", "meta": 1},
    ]
    address, _ = await raw(body(said))

    assert [("good", None), ("b", None)] == [
        (model.name, model.context_window) for model in (await look(address)).models
    ]


async def test_a_server_that_hangs_later_is_found_all_the_same(nursery, monkeypatch):
    """It told its models, and never says more: they are there, without what they hold."""
    monkeypatch.setattr(look_module, "DETAILS_S", 0.2)

    async def talk(stream):
        async with stream:
            if b"/v1/models" not in await stream.receive_some(65_536):
                await trio.sleep_forever()
            await stream.send_all(body(models("m", owned_by="library")))

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, talk, listeners)
    (found,) = await detect_at([Address("127.0.0.1", listeners[0].socket.getsockname()[1])])

    assert ("Ollama", ["m"]) == (found.server.kind, [model.name for model in found.server.models])


async def test_whoever_hangs_is_waited_for_together(autojump_clock, monkeypatch):
    """All ports at once, and less than a second for them all; who answered meanwhile is found."""
    well = Server(address=Address("127.0.0.1", 5), kind="vLLM")

    async def hang(address):
        await trio.sleep(0.5 if address.port == 5 else 99)
        return well

    async def ours(_address):
        await trio.lowlevel.checkpoint()
        return True

    monkeypatch.setattr(detect_module, "look", hang)
    monkeypatch.setattr(detect_module, "is_ours", ours)
    began = trio.current_time()
    found = await detect_at([Address("127.0.0.1", port) for port in range(1, 6)])

    assert [well] == [each.server for each in found]
    assert 0.9 == pytest.approx(trio.current_time() - began)


async def test_a_server_is_asked_within_that_time(autojump_clock, monkeypatch):
    """Its list, and what else it says, each have a limit of their own, and fit together."""

    async def hang(*_place, **_more):
        await trio.sleep_forever()

    monkeypatch.setattr(look_module, "get", hang)
    began = trio.current_time()

    assert await look(Address("127.0.0.1", 1)) is None
    assert look_module.LIST_S == pytest.approx(trio.current_time() - began)
    assert look_module.LIST_S + look_module.DETAILS_S < MOST_S


async def test_nobody_there_is_known_at_once(unused_tcp_port):
    """Nothing is waited for where nobody listens."""
    with trio.move_on_after(20) as scope:  # an answer would be waited for for 30 s
        assert await look(Address("127.0.0.1", unused_tcp_port)) is None

    assert not scope.cancelled_caught


async def test_a_listener_of_this_user_is_ours(served):
    """The system says whose the port is."""
    address, _ = await served("vllm")
    (found,) = await detect_at([address])

    assert {os.geteuid()} == listener_uids(address.port)
    assert found.ours
    assert (found.server,) == usable([found])


@pytest.mark.parametrize(
    ("uids", "ours"),
    [
        ([], False),
        ([0], True),
        (["mine"], True),
        (["mine", 0], True),
        ([54_321], False),
        (["mine", 54_321], False),
    ],
)
async def test_a_listener_counts_only_if_all_who_listen_are_ours_or_root(
    tmp_path, monkeypatch, uids, ours
):
    """Another user's port is found but not used; a second listener of another's on the same port spoils it; not known is no."""
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  {}        0 1 1 0 100 0\n"
    other = line.replace("2CAA", "2CAB").replace("{}", "777") + line.replace(
        " 0A ", " 01 "
    ).replace("{}", "777")
    table = tmp_path / "tcp"
    rows = [line.format(os.geteuid() if uid == "mine" else uid) for uid in uids]
    table.write_text(head + other + "".join(rows))
    monkeypatch.setattr(peer_identity, "TABLES", (table, tmp_path / "no tcp6"))

    assert ours == await detect_module.is_ours(Address("127.0.0.1", 0x2CAA))


def test_a_server_gets_a_name_of_its_own():
    """By what it is, and with a number where that is taken."""
    place = Address("127.0.0.1", 1)

    assert "lmstudio" == named(Server(address=place, kind="LM Studio"))
    assert "vllm-3" == named(Server(address=place, kind="vLLM"), {"vllm", "vllm-2"})
    assert "local" == named(Server(address=place))


def test_without_models_or_leave_a_server_is_not_usable():
    """All three must be: ours, open, and with a model."""
    server = Server(address=Address("127.0.0.1", 1))

    assert () == usable([Found(server=server, ours=True)])


async def test_what_was_looked_at_can_be_cancelled(raw, cancel_at_every_step):
    """At each step; no connection is left open."""
    address, _ = await raw(None)

    async def scenario():
        with trio.move_on_after(0.01):
            await look(address)

    await cancel_at_every_step(scenario, lambda: None)
