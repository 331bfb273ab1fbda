"""The gateway as the daemon opens it, against the simulator over real HTTP."""

import subprocess
import sys
from collections import Counter
from contextlib import suppress

import attrs
import httpx2
import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError, ProviderBusyError, ProviderError
from exai_trio.providers.gateway import open_gateway

pytestmark = pytest.mark.real

LAZY = """
import sys, trio
from exai_trio.config import Config
from exai_trio.providers.gateway import open_gateway

async def main():
    async with open_gateway(Config(glm_api_key="k")) as gateway:
        gateway.choose("glm-4.6")
        gateway.providers()

trio.run(main)
print(sorted({"openai", "httpx2", "pydantic", "httpcore2"} & set(sys.modules)))
"""


def connections(gateway):
    pools = [
        service._clients.http._transport._pool
        for service in gateway._services.values()
        if service._clients
    ]
    return [connection for pool in pools for connection in pool.connections]


def all_free(gateway):
    return all(
        view.current == view.expected and not view.waiting for view in gateway.permits().values()
    )


async def test_nothing_heavy_is_imported_before_it_is_needed():
    """Opening, choosing and asking for facts need neither openai nor HTTP."""
    done = await trio.run_process(
        [sys.executable, "-c", LAZY], capture_stdout=True, stderr=subprocess.STDOUT
    )

    assert done.stdout == b"[]\n"


async def test_one_call_to_each(origin, patient_config, question, hearing):
    """Simulated, and saying so; the catalogue takes Kimi's own list in."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        await gateway.warm_up()
        for model in ("glm-4.5-flash", "kimi-k2.6"):
            answer = await gateway.chat(gateway.choose(model), question(), hearing)
            assert answer.simulated
            assert answer.text == "".join(hearing.chunks)
            assert answer.usage.output_tokens > 0
            hearing.chunks.clear()

        assert all_free(gateway)
        held = connections(gateway)

    assert held
    assert all(connection.is_closed() for connection in held)


async def test_what_passes_is_tried_again_over_http(
    origin, patient_config, question, hearing, requests_at
):
    """Two refusals, then the answer: three requests with one key."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        answer = await gateway.chat(
            gateway.choose("kimi-k2.6"),
            question("[[simulate: status=503 times=2 tokens=3]]"),
            hearing,
        )

    requests = await requests_at()
    assert answer.text
    assert [request["status"] for request in requests] == [503, 503, 200]
    assert len({request["headers"]["idempotency-key"] for request in requests}) == 1


async def test_a_rerun_after_a_crash_gets_past_glms_memory_of_ids(
    origin, patient_config, question, hearing
):
    """The same key again, as after a restart of the daemon: 1231 is answered with a new id."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        choice = gateway.choose("glm-4.6")
        with trio.move_on_after(0.2):
            await gateway.chat(choice, question("[[simulate: tokens=900 drip=0.05]]"), hearing)
        answer = await gateway.chat(choice, question("[[simulate: tokens=3]]"), hearing)

    assert answer.text


async def test_kimi_searches_through_us(origin, patient_config, question, hearing, requests_at):
    """The model asks, we give its arguments back, it answers."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        choice = gateway.choose("kimi-k3")
        answer = await gateway.chat(
            choice, question("search the web for trio", web_search=True), hearing
        )

    requests = await requests_at()
    said, given_back = requests[1]["body"]["messages"][-2:]
    assert answer.finish_reason == "stop"
    assert given_back["content"] == said["tool_calls"][0]["function"]["arguments"]
    assert said["tool_calls"][0]["type"] == "builtin_function"


async def test_our_own_number_at_once_is_learned(origin, patient_config, question, new_hearing):
    """GLM allows two: eight calls all succeed, with fewer at once than configured."""
    async with httpx2.AsyncClient(base_url=origin, trust_env=False) as http:
        await http.post("/_control", json={"provider": "glm", "limit": 2})
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        choice, texts = gateway.choose("glm-4.6"), Counter()

        async def one(number):
            request = question("[[simulate: tokens=5 drip=0.01]]", idempotency_key=f"call-{number}")
            try:
                texts[bool((await gateway.chat(choice, request, new_hearing())).text)] += 1
            except ProviderBusyError:
                texts["busy"] += 1

        async with trio.open_nursery() as asking:
            for number in range(8):
                asking.start_soon(one, number)

        assert sum(texts.values()) == 8
        assert gateway.permits()["glm"].expected < 4
        assert all_free(gateway)


async def test_nothing_is_left_after_many_mixed_calls(
    origin, patient_config, question, new_hearing
):
    """Finished, failed, cancelled and timed out: permits, connections and breakers are in order."""
    kinds = [
        "tokens=3",
        "status=400 error=1301",
        "hang",
        "hang=3",
        "cut_after=2",
        "broken_json",
        "tokens=900 drip=0.01",
    ]
    config = attrs.evolve(patient_config, stream_idle_s=0.05)
    async with open_gateway(config, simulator_url=origin) as gateway:
        await gateway.warm_up()

        async def one(number):
            model = ("glm-4.6", "kimi-k2.6")[number % 2]
            request = question(
                f"[[simulate: {kinds[number % len(kinds)]}]]", idempotency_key=f"call-{number}"
            )
            with trio.move_on_after(0.4), suppress(ProviderError):
                await gateway.chat(gateway.choose(model), request, new_hearing())

        async with trio.open_nursery() as asking:
            for number in range(42):
                asking.start_soon(one, number)

        assert all_free(gateway)
        assert all(connection.is_idle() for connection in connections(gateway))


async def test_a_real_request_cancelled_anywhere(origin, patient_config, question, hearing):
    """At many of its scheduler steps, on a real socket: no permit and no busy connection is left."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        await gateway.warm_up()
        finished = step = 0
        while not finished:
            step += 3
            with trio.CancelScope() as scope:
                instrument = _CancelAtStep(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    request = question("[[simulate: tokens=2]]", idempotency_key=f"call-{step}")
                    await gateway.chat(gateway.choose("glm-4.6"), request, hearing)
                    finished = step
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            assert all_free(gateway)
            assert all(connection.is_idle() for connection in connections(gateway)), step

    assert finished > 6


class _CancelAtStep(trio.abc.Instrument):
    def __init__(self, scope, step):
        self._scope, self._left = scope, step

    def after_task_step(self, task):
        self._left -= 1
        if self._left == 0:
            self._scope.cancel(reason="the sweep")


async def test_a_providers_file(origin, patient_config, question, hearing, tmp_path):
    """A further endpoint with its key and prices: its answers cost something."""
    file = tmp_path / "providers.toml"
    text = f"""
[[provider]]
name = "mine"
base_url = "{origin}/kimi/v1"
key_variable = "MINE_API_KEY"
[[provider.model]]
name = "kimi-k2.6"
price = {{ input = 1.0, output = 2.0, currency = "CHF" }}
"""
    await trio.Path(file).write_text(text)
    config = attrs.evolve(
        patient_config, providers_file=file, provider_keys={"MINE_API_KEY": "simulated"}
    )

    async with open_gateway(config) as gateway:
        answer = await gateway.chat(gateway.choose("mine/kimi-k2.6"), question(), hearing)

    assert answer.provider == "mine"
    assert answer.cost > 0
    assert answer.currency == "CHF"
    assert not answer.simulated


@pytest.mark.parametrize("content", [None, b"\xff", b"nonsense"])
async def test_a_providers_file_that_cannot_be_used(tmp_path, content):
    """Missing, no text, no TOML: the start fails and names the setting."""
    file = tmp_path / "providers.toml"
    if content is not None:
        await trio.Path(file).write_bytes(content)

    with pytest.raises(ArgumentError, match="EXAI_PROVIDERS_FILE"):
        async with open_gateway(Config(providers_file=file)):
            pass


@pytest.mark.parametrize("name", ["glm-4.5-flush", "kimi-k2.66"])
async def test_a_model_that_its_provider_does_not_know_is_not_found(
    name, origin, patient_config, question, hearing
):
    """The prefix names the provider, which is asked; its refusal lists the nearest names, as for any unknown model."""
    async with open_gateway(patient_config, simulator_url=origin) as gateway:
        with pytest.raises(NotFoundError, match=name) as refused:
            await gateway.chat(gateway.choose(name), question("hello"), hearing)

    assert name[:4] in {known[:4] for known in refused.value.details["nearest"]}
