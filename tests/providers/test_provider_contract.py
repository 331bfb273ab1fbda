"""What every Provider must do, each of them over real HTTP to the simulator."""

import errno
import gc
from contextlib import suppress

import attrs
import pytest
import trio

from exai_trio.errors import (
    BadAnswerError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderError,
    ProviderNetworkError,
    ProviderQuotaError,
    ProviderRefusedError,
    ProviderTimeoutError,
    ServiceUnavailableError,
)
from exai_trio.providers import openai_compatible
from exai_trio.providers.answers.accumulator import Assembly
from exai_trio.providers.base import Balance, Finish, Message, TextDelta

pytestmark = pytest.mark.real

MODELS = {"glm": "glm-4.6", "kimi": "kimi-k2.6", "plain": "kimi-k2.6"}
every = pytest.mark.parametrize("name", list(MODELS))
vendors = pytest.mark.parametrize("name", ["glm", "kimi"])


async def ask(provider, question, text, **more):
    answer = Assembly()
    async with provider.chat(
        question(text, model=MODELS[provider.service.endpoint.name], **more)
    ) as deltas:
        async for delta in deltas:
            answer.add(delta)
    return answer


async def until(condition):
    with trio.fail_after(10):
        while not await condition():  # noqa: ASYNC110 - the other side of a socket has no event
            await trio.sleep(0.01)


def connections(provider):
    return provider.service._clients.http._transport._pool.connections


@every
async def test_an_answer_comes_whole(adapter_at, question, name):
    """Text, tokens counted, and a Finish as the last delta."""
    async with adapter_at(name) as provider:
        answer = await ask(provider, question, "[[simulate: tokens=12]] hello")

    assert "".join(answer.text).startswith("[simulated]")
    assert answer.usage.output_tokens > 0
    assert answer.finish.reason == "stop"
    assert answer.finish.model == MODELS[name]


@every
async def test_connections_are_used_again(adapter_at, question, name):
    """Five answers read to their end need one connection."""
    async with adapter_at(name) as provider:
        for _ in range(5):
            await ask(provider, question, "[[simulate: tokens=3]]")

        assert len(connections(provider)) == 1


@vendors
async def test_reasoning_comes_before_the_text(adapter_at, question, name):
    """And apart from it."""
    async with adapter_at(name) as provider:
        answer = await ask(
            provider, question, "[[simulate: reasoning=5 tokens=5]]", thinking="high"
        )

    assert answer.reasoning
    assert answer.text


@every
async def test_a_tool_call_comes_whole(adapter_at, question, name):
    """Pieced together from what came in pieces."""
    tool = {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
    }

    async with adapter_at(name) as provider:
        answer = await ask(
            provider, question, "[[simulate: call=add arguments='{\"a\": 1}']]", tools=(tool,)
        )

    (call,) = answer.tool_calls
    assert (call.name, call.arguments) == ("add", '{"a": 1}')
    assert answer.finish.reason == "tool_calls"


@every
async def test_the_key_of_the_call_is_sent(adapter_at, question, requests_at, name):
    """As a header everywhere, GLM has it in the body too; no header tells anything of this machine."""
    async with adapter_at(name) as provider:
        await ask(provider, question, "hello", idempotency_key="sitzung:ä")

    (request,) = await requests_at()
    key = request["headers"]["idempotency-key"]
    assert key.isascii()
    assert request["body"].get("request_id") == (key if name == "glm" else None)
    assert not [header for header in request["headers"] if header.startswith("x-stainless-os")]


@every
async def test_leaving_early_closes_the_socket(adapter_at, question, requests_at, name):
    """By `break`, with nothing left to the garbage collector."""
    async with adapter_at(name) as provider:
        async with provider.chat(
            question("[[simulate: tokens=500 drip=0.01]]", model=MODELS[name])
        ) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    break

        assert not connections(provider)
        gc.collect()

        async def cut():
            return (await requests_at())[0]["disconnected"]

        await until(cut)


@every
async def test_cancelling_closes_the_socket(adapter_at, question, requests_at, name):
    """Before the first byte, in mid-answer, and while the text flows."""
    async with adapter_at(name) as provider:
        await provider.service.wait_ready()
        for directive in ("hang", "hang=4", "tokens=500 drip=0.02"):
            with trio.move_on_after(0.1):
                await ask(
                    provider, question, f"[[simulate: {directive}]]", idempotency_key=directive
                )

            assert not connections(provider), directive

        async def cut():
            return all(request["disconnected"] for request in await requests_at())

        await until(cut)


@pytest.mark.parametrize("fault", [OSError(errno.EMFILE, "Too many open files"), ImportError("no")])
async def test_a_client_that_cannot_be_loaded_may_be_tried_again(
    adapter_at, question, monkeypatch, fault
):
    """Without descriptors nothing can be imported: the call is told so, and the next one is answered."""

    def without_descriptors(*_):
        raise fault

    async with adapter_at("glm") as provider:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(openai_compatible, "_build_sdk", without_descriptors)
            with pytest.raises(ServiceUnavailableError, match=str(fault.args[-1])) as caught:
                await ask(provider, question, "hello")
        answer = await ask(provider, question, "hello")

    assert caught.value.retryable
    assert caught.value.retry_after_s > 0
    assert answer.text


@every
async def test_the_first_byte_has_a_limit(adapter_at, question, name):
    """A service that takes the question and says nothing."""
    async with adapter_at(name, first_byte_s=0.1) as provider:
        with pytest.raises(ProviderTimeoutError) as caught:
            await ask(provider, question, "[[simulate: hang]]")

    assert caught.value.details["limit"] == "first_byte"


@every
async def test_a_pause_has_a_limit(adapter_at, question, name):
    """A service that stops in mid-answer."""
    async with adapter_at(name, idle_s=0.1) as provider:
        with pytest.raises(ProviderTimeoutError) as caught:
            await ask(provider, question, "[[simulate: hang=4]]")

        assert not connections(provider)

    assert caught.value.details["limit"] == "idle"


@every
async def test_a_whole_stream_has_a_limit(adapter_at, question, name):
    """A service that drips for ever, never pausing long."""
    async with adapter_at(name, stream_s=0.1) as provider:
        with pytest.raises(ProviderTimeoutError) as caught:
            await ask(provider, question, "[[simulate: tokens=5000 drip=0.02]]")

    assert caught.value.details["limit"] == "stream"


NO_ANSWERS = {
    "cut_after=3": ProviderNetworkError,
    "end_after=3": BadAnswerError,
    "drop": ProviderNetworkError,
    "empty": BadAnswerError,
    "no_choices": BadAnswerError,
    "broken_json": BadAnswerError,
    "error_event": ProviderError,
    "error_in_200": ProviderError,
    "html": ProviderBusyError,
    "html status=200": BadAnswerError,
    "status=500": ProviderBusyError,
    "status=503": ProviderBusyError,
    "status=401": ProviderAuthError,
}


@every
async def test_every_way_of_being_no_answer(adapter_at, question, name):
    """An error of ours, and no connection left in an unknown state."""
    async with adapter_at(name) as provider:
        for directive, error in NO_ANSWERS.items():
            with pytest.raises(error):
                await ask(provider, question, f"[[simulate: {directive}]]")

            assert all(connection.is_idle() for connection in connections(provider)), directive


@vendors
async def test_a_finished_stream_need_not_say_done(adapter_at, question, name):
    """GLM and Kimi say [DONE]; what stands between may drop it, and the answer is whole."""
    async with adapter_at(name) as provider:
        answer = await ask(provider, question, "[[simulate: no_done]]")

    assert answer.finish.reason == "stop"


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("glm", "1113", ProviderQuotaError),
        ("glm", "1302", ProviderBusyError),
        ("glm", "1301", ProviderRefusedError),
        ("kimi", "exceeded_current_quota_error", ProviderQuotaError),
        ("kimi", "engine_overloaded_error", ProviderBusyError),
    ],
)
async def test_a_services_own_errors(adapter_at, question, name, code, error):
    """With Retry-After where one was sent."""
    async with adapter_at(name) as provider:
        with pytest.raises(error) as caught:
            await ask(provider, question, f"[[simulate: status=429 error={code} retry_after=7]]")

    assert caught.value.retry_after_s == 7.0


@every
async def test_a_wrong_key_is_an_auth_error(adapter_at, question, name):
    """Also one that could never stand in a header, which is not even sent."""
    async with adapter_at(name) as provider:
        service = provider.service
        for key in ("wrong", "two\nlines", "schlüssel"):
            service.endpoint = attrs.evolve(service.endpoint, key=key)
            with pytest.raises(ProviderAuthError) as caught:
                await ask(provider, question, "hello")
            assert key not in str(caught.value)
            await service.aclose()


async def test_nobody_there(question, adapter_at, unused_tcp_port):
    """A refused connection is a network error that names the address."""
    async with adapter_at("glm") as provider:
        service = provider.service
        service.endpoint = attrs.evolve(
            service.endpoint, base_url=f"http://127.0.0.1:{unused_tcp_port}/v4"
        )
        with pytest.raises(ProviderNetworkError, match=str(unused_tcp_port)):
            await ask(provider, question, "hello")


@pytest.mark.parametrize(
    "base_url", ["nonsense", "ftp://example.org", "http://[bad/v4", "http://127.0.0.1:99999/"]
)
async def test_an_impossible_address(question, adapter_at, base_url):
    """Whatever stands in the settings, it is our kind of error, and not tried again."""
    async with adapter_at("glm") as provider:
        service = provider.service
        service.endpoint = attrs.evolve(service.endpoint, base_url=base_url)
        with pytest.raises(ProviderNetworkError):
            await ask(provider, question, "hello")


@every
async def test_lone_surrogates_and_big_prompts_arrive(adapter_at, question, requests_at, name):
    """What UTF-8 cannot hold is replaced; a megabyte is no matter."""
    async with adapter_at(name) as provider:
        await ask(provider, question, "a\ud800b " + "long " * 20_000)

    (request,) = await requests_at()
    assert request["body"]["messages"][0]["content"].startswith("a\ufffdb long")


@every
async def test_streams_side_by_side(adapter_at, question, name):
    """Twenty at once, half of them cancelled, leave a pool in good order."""
    async with adapter_at(name) as provider:

        async def one(number):
            with trio.move_on_after(0.05 if number % 2 else 20):
                await ask(
                    provider,
                    question,
                    "[[simulate: tokens=20 drip=0.005]]",
                    idempotency_key=f"call-{number}",
                )

        async with trio.open_nursery() as asking:
            for number in range(20):
                asking.start_soon(one, number)

        assert all(connection.is_idle() for connection in connections(provider))


@vendors
async def test_files_come_and_go(adapter_at, name, tmp_path):
    """Uploaded from disk, listed, read, deleted."""
    file = tmp_path / 'odd "name" ä.txt'
    content = "line\n" * 100_000
    await trio.Path(file).write_text(content)
    purpose = "file-extract"

    async with adapter_at(name) as provider:
        with suppress(
            ProviderRefusedError
        ):  # what one host of GLM calls file-extract, the other calls agent
            purpose = (await provider.upload_file(file, purpose)).purpose
        held = await provider.upload_file(file, purpose)
        assert held.size == len(content)
        assert held.id in {listed.id for listed in await provider.list_files()}
        assert (await provider.read_file(held.id)).decode() == content
        await provider.delete_file(held.id)
        with pytest.raises(ProviderError):
            await provider.read_file(held.id)


@vendors
async def test_files_that_cannot_be_sent(adapter_at, name, tmp_path):
    """Missing, a directory, empty: refused here, before a byte is sent."""
    empty = tmp_path / "empty.txt"
    empty.touch()

    async with adapter_at(name) as provider:
        for path in (tmp_path / "missing.txt", tmp_path, empty):
            with pytest.raises(ProviderRefusedError):
                await provider.upload_file(path, "file-extract")


async def test_cancelling_an_upload(adapter_at, tmp_path):
    """Neither a file handle nor a connection is left."""
    file = tmp_path / "big.txt"
    await trio.Path(file).write_bytes(b"x" * 30_000_000)

    async with adapter_at("kimi") as provider:
        await provider.list_files()
        with trio.move_on_after(0.01):
            await provider.upload_file(file, "file-extract")

        assert all(connection.is_idle() for connection in connections(provider))
    gc.collect()


async def test_an_id_cannot_leave_its_place_in_the_path(adapter_at, requests_at):
    """Slashes and dots of an id are quoted."""
    async with adapter_at("kimi") as provider:
        with pytest.raises(ProviderError):
            await provider.read_file("../models?x")

    assert await requests_at("/models") == []


@vendors
async def test_tokens_are_counted(adapter_at, name):
    """By the service."""
    async with adapter_at(name) as provider:
        assert (
            await provider.count_tokens(MODELS[name], (Message(role="user", text="hello there"),))
            > 0
        )


async def test_glm_searches(adapter_at):
    """Results as the service gives them."""
    async with adapter_at("glm") as provider:
        results = await provider.web_search("trio", {"count": 3, "search_recency_filter": "all"})

    assert len(results) == 3
    assert all(result["title"] for result in results)


async def test_kimi_lists_models_and_money(adapter_at):
    """With context window and abilities."""
    async with adapter_at("kimi") as provider:
        models = await provider.list_models()
        balance = await provider.balance()

    assert {model.name for model in models} >= {"kimi-k2.6"}
    assert isinstance(balance, Balance)


async def test_what_is_not_offered_is_refused(adapter_at, tmp_path):
    """Capabilities tell the truth."""
    async with adapter_at("plain") as plain, adapter_at("glm") as glm, adapter_at("kimi") as kimi:
        calls = [
            lambda: plain.web_search("x", {}),
            lambda: plain.count_tokens("m", ()),
            plain.list_files,
            lambda: plain.read_file("x"),
            lambda: plain.delete_file("x"),
            lambda: plain.upload_file(tmp_path, "x"),
            lambda: kimi.web_search("x", {}),
            glm.balance,
            glm.list_models,
        ]
        for call in calls:
            with pytest.raises(ProviderRefusedError, match="offers no"):
                await call()


async def test_glm_shows_what_it_found(adapter_at, question):
    """Search results of a chat come with the Finish."""
    async with adapter_at("glm") as provider:
        answer = await ask(provider, question, "search the web for trio", web_search=True)

    assert isinstance(answer.finish, Finish)
    assert answer.finish.web_results
