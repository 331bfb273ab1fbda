"""The tools that ask no model: what each argument changes, and that missing facts do no harm."""

import json

import attrs
import jsonschema
import pytest
import trio

from exai_trio import __version__
from exai_trio.errors import NotFoundError, StorageError
from exai_trio.providers.catalogue import ModelInfo, load_catalogue
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.tools.base import OUTPUT_SCHEMA
from exai_trio.tools.registry import BUILT_IN

DIAGNOSTIC = ["status", "health", "self-check", "version", "listmodels", "provider_capabilities"]


async def content(bench, name, **arguments):
    return (await bench.call(name, **arguments)).structured["content"]


# Those that need a provider's services are tried against the simulator, elsewhere.
SERVICES = ("kimi_", "glm_", "smart_file_")
SIMPLE = [
    t
    for t in BUILT_IN
    if t.kind == "simple" and t.name != "result" and not t.name.startswith(SERVICES)
]


@pytest.mark.parametrize("tool", SIMPLE, ids=lambda tool: tool.name)
async def test_every_simple_tool_answers_in_the_same_envelope(bench, tool):
    """Text and structured content are one object that fits the schema and names the tool; no tool invents a status."""
    answer = await bench.call(
        tool.name, **({"prompt": "x"} if "prompt" in dir(tool.arguments) else {})
    )
    jsonschema.validate(answer.structured, OUTPUT_SCHEMA)

    assert json.loads(answer.text) == answer.structured
    assert answer.structured["metadata"]["tool_name"] == tool.name
    assert answer.structured["status"] in {"success", "continuation_available"}
    assert tool.asks_model == (answer.usage is not None)


@pytest.mark.parametrize("name", DIAGNOSTIC)
async def test_missing_facts_do_no_harm(bench, name):
    """A daemon that knows little, and no provider at all, still give an answer."""
    bench.daemon.facts = {}
    bench.daemon.log = []
    bench.gateway.configured = ()

    assert await content(bench, name)


@pytest.mark.parametrize("name", DIAGNOSTIC)
async def test_facts_of_odd_shapes_do_no_harm(bench, name):
    """Facts that are None or empty are left out."""
    bench.daemon.facts = dict.fromkeys(bench.daemon.facts)

    assert "None" not in await content(bench, name)


async def test_challenge_quotes_every_line(bench):
    """The statement stands in the answer, each line quoted; braces in it are only text."""
    said = await content(bench, "challenge", prompt="It is {safe}.\nAlways.")

    assert "> It is {safe}.\n> Always." in said


async def test_status_tells_the_daemon_at_a_glance(bench):
    """Version, state, calls, permits, providers and the newest log lines, as many as asked."""
    said = await content(bench, "status", tail_lines=2)

    assert "EXAI 9.9.9, healthy, up 75 s, boot b00t" in said
    assert "calls: running 1, finished 5, failed 0" in said
    assert "permits, all calls: 23 of 24 free, 0 waiting" in said
    assert "permits, glm: 4 of 4 free" in said
    assert "glm: configured, breakers (glm/glm-4.6 open)" in said
    assert said.endswith("Log:\n  line 99\n  line 100")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [({"include_tools": True}, "  challenge"), ({"doctor": True}, "store: ok")],
)
async def test_status_shows_more_when_asked(bench, arguments, shown):
    """include_tools and doctor each add their part, which is not there without them."""
    assert shown in await content(bench, "status", **arguments)
    assert shown not in await content(bench, "status")


@pytest.mark.real
async def test_status_probes_the_configured_providers(bench):
    """probe connects to each configured provider's address, and tells which could be reached."""
    bench.gateway.configured = ("kimi",)
    async with trio.open_nursery() as serving:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        bench.gateway.base_url = f"http://127.0.0.1:{port}/v1"
        reached = await content(bench, "status", probe=True)
        await listener.aclose()
        missed = await content(bench, "status", probe=True)
        serving.cancel_scope.cancel()

    assert f"kimi: 127.0.0.1:{port} reached in" in reached
    assert f"kimi: 127.0.0.1:{port} cannot be reached" in missed
    assert "glm: 127.0.0.1" not in reached


async def test_a_silent_address_does_not_hold_up_the_probe(bench, monkeypatch, autojump_clock):
    """An address that never answers is given up after a few seconds, and all are tried at once."""

    async def connect_for_ever(host, port):
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", connect_for_ever)
    said = await content(bench, "status", probe=True)

    assert "kimi: models.example:443 did not answer within 3 s" in said
    assert trio.current_time() < 4


@pytest.mark.parametrize(
    ("name", "argument"), [("health", "tail_lines"), ("self-check", "log_lines")]
)
async def test_log_lines_are_as_many_as_asked(bench, name, argument):
    """The number of log lines is the caller's; none means no log."""
    some = await content(bench, name, **{argument: 3})
    none = await content(bench, name, **{argument: 0})

    assert some.endswith("Log:\n  line 98\n  line 99\n  line 100")
    assert "line" not in none


async def test_health_names_providers_and_tools(bench):
    """health says what each provider can do and which tools can be called."""
    said = await content(bench, "health")

    assert (
        "kimi: configured, base url https://models.example/v1, capabilities (chat, files)" in said
    )
    assert "test_echo" in said


class BrokenStore(MemoryStore):
    async def load(self, continuation_id, now):
        await trio.lowlevel.checkpoint()
        raise StorageError("The file is damaged.")


async def test_self_check_names_each_fault_with_its_remedy(bench, tmp_path):
    """No provider, a broken store, a missing root and a draining daemon are each named with what to do."""
    bench.gateway.configured = ()
    bench.store = BrokenStore()
    bench.daemon.facts["draining"] = True
    bench.config = attrs.evolve(bench.config, allowed_roots=(tmp_path, tmp_path / "gone"))
    answer = await bench.call("self-check")
    said = answer.structured["content"]

    assert "4 of 5 checks found a fault" in said
    assert "GLM_API_KEY" in said
    assert "store: it cannot be read. The file is damaged." in said
    assert f"{tmp_path / 'gone'}: there is no such directory. Correct EXAI_ALLOWED_ROOTS" in said
    assert f"{tmp_path}: ok" in said
    assert "daemon: it is shutting down" in said
    assert answer.metadata["faults"] == 4


async def test_self_check_of_a_sound_daemon_finds_nothing(bench):
    """Where all is well it says so."""
    assert "no fault found" in await content(bench, "self-check")


async def test_version_says_what_a_name_stands_for(bench):
    """version tells EXAI's version, and with a model which provider and model that name leads to."""
    plain = await content(bench, "version")
    resolved = await content(bench, "version", model="kimi-k2-0905-preview")

    assert f"EXAI {__version__}" in plain
    assert "stands for kimi/kimi-" in resolved
    assert "no longer offered" in resolved


async def test_listmodels_lists_configured_providers_only(bench):
    """Models stand under their provider, with what they can; providers without a key are not there."""
    bench.gateway.configured = ("kimi",)
    said = await content(bench, "listmodels")

    assert "kimi:\n" in said
    assert "Asked when none is named: kimi-" in said
    assert "  kimi-k2.6 (also kimi): 262 K context, thinking, tools, " in said
    assert "glm:" not in said


async def test_listmodels_details_one_model(bench):
    """With a name it shows that model; an unknown name is NOT_FOUND with the nearest ones."""
    said = await content(bench, "listmodels", model="glm-4.6")
    with pytest.raises(NotFoundError, match="kimi-k"):
        await content(bench, "listmodels", model="kimmi-k2.6")

    assert "name: glm-4.6" in said
    assert "context window: 204800" in said


async def test_listmodels_without_providers_says_what_to_set(bench):
    """With no key the list is empty and names the variables."""
    bench.gateway.configured = ()

    assert "GLM_API_KEY" in await content(bench, "listmodels")


async def test_provider_capabilities_shows_more_when_asked(bench):
    """Each argument adds its part: addresses, limits and settings; tools; a fresh list of models."""
    plain = await content(bench, "provider_capabilities")
    advanced = await content(bench, "provider_capabilities", show_advanced=True)
    tools = await content(bench, "provider_capabilities", include_tools=True)
    before = bench.gateway.refreshed
    await content(bench, "provider_capabilities", invalidate_cache=True)

    assert "capabilities (chat, files)" in plain
    assert "models.example" not in plain
    assert "models.example" in advanced
    assert "DEFAULT_MODEL glm-4.5-flash" in advanced
    assert "permits, all calls" in advanced
    assert "  test_echo" in tools
    assert (0, 1) == (before, bench.gateway.refreshed)


async def test_echo_gives_the_prompt_back_after_its_delay(bench, autojump_clock):
    """The prompt comes back unchanged, as late as asked, with metadata only if asked."""
    began = trio.current_time()
    plain = await bench.call("test_echo", prompt=" \u00e4\n🙂 ", delay_ms=90_000)
    took = trio.current_time() - began
    told = await bench.call("test_echo", prompt="x", include_metadata=True)

    assert plain.structured["content"] == " \u00e4\n🙂 "
    assert took == pytest.approx(90)
    assert {"tool_name", "conversation_ready"} == plain.structured["metadata"].keys()
    assert ("r1", "s1", 0, 1) == tuple(
        told.metadata[key] for key in ("request_id", "session_id", "delay_ms", "characters")
    )


async def test_echo_stops_when_cancelled(bench, autojump_clock):
    """A cancelled delay ends at once."""
    with trio.move_on_after(1) as scope:
        await bench.call("test_echo", prompt="x", delay_ms=600_000)

    assert scope.cancelled_caught
    assert trio.current_time() < 2


async def test_listmodels_names_a_local_model_as_the_default(bench):
    """Ten thousand models of a server are counted, not listed."""
    many = [
        ModelInfo(name=f"m{number}", provider="mine", context_window=512)
        for number in range(10_000)
    ]
    bench.gateway.configured = ("mine",)
    bench.gateway.known = load_catalogue().with_models(many)
    lines = (await content(bench, "listmodels")).splitlines()

    assert "Asked when none is named: m0" == lines[0]
    assert any("m1: 512 tokens of context" in line for line in lines)
    assert "… and 9,900 more" in lines[-1]
    assert len(lines) < 110


async def test_listmodels_names_a_server_of_which_no_model_is_known(bench, monkeypatch):
    """It is configured, so "no provider is configured" would be wrong."""
    silent = {"name": "mine", "configured": True, "base_url": "http://127.0.0.1:1/v1"}
    bench.gateway.configured = ()
    monkeypatch.setattr(type(bench.gateway), "providers", lambda _self: (silent,))
    said = await content(bench, "listmodels")

    assert "No provider is configured" not in said
    assert "mine (http://127.0.0.1:1/v1): no model is known" in said
    assert "`exai providers test mine`" in said
