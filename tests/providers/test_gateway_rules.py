"""The gateway over a provider made of memory, on the jumping clock: retries, permits, rounds, cost, what is told."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.lowlevel

from exai_trio.config import Config
from exai_trio.errors import (
    ArgumentError,
    BadAnswerError,
    NotFoundError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderNetworkError,
    ProviderRefusedError,
    ServiceUnavailableError,
)
from exai_trio.providers.adaptive_limit import Permits
from exai_trio.providers.base import (
    Finish,
    Image,
    Message,
    OfferedModel,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from exai_trio.providers.catalogue import ModelInfo, Price, load_catalogue
from exai_trio.providers.endpoint import built_in
from exai_trio.providers.gateway import Gateway

KEYS = attrs.evolve(Config(), glm_api_key="k", kimi_api_key="k", ws_glm_max_inflight=2)
ANSWER = (
    ReasoningDelta("hm"),
    TextDelta("yes"),
    TextDelta(" indeed"),
    UsageDelta(Usage(input_tokens=1000, output_tokens=10, cached_tokens=400)),
    Finish(reason="stop", model="glm-4.6"),
)
SEARCH = (
    ToolCallDelta(
        index=0, id="s:0", name="$web_search", arguments='{"q": ', type="builtin_function"
    ),
    ToolCallDelta(index=0, arguments=" 1}"),
    UsageDelta(Usage(input_tokens=5, output_tokens=5)),
    Finish(reason="tool_calls", model="kimi-k2.6"),
)
KIMI_ANSWER = (
    TextDelta("found"),
    UsageDelta(Usage(input_tokens=50, output_tokens=2)),
    Finish(reason="stop", model="kimi-k2.6"),
)


@attrs.define
class Made:
    """A provider that plays its scripts, the last one for ever: deltas, errors to raise, seconds to wait."""

    scripts: list
    requests: list = attrs.field(factory=list)
    open_streams: int = 0
    most_open: int = 0

    @asynccontextmanager
    async def chat(self, request):
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.open_streams += 1
        self.most_open = max(self.most_open, self.open_streams)
        try:
            yield Playing(iter(script))
        finally:
            self.open_streams -= 1

    async def list_files(self):
        await trio.lowlevel.checkpoint()
        for step in self.scripts.pop(0):
            raise step
        return ()

    async def list_models(self):
        await trio.lowlevel.checkpoint()
        return (OfferedModel(name="kimi-k9", context_window=9, sees_images=True),)


@attrs.define
class Playing:
    steps: object

    def __aiter__(self):
        return self

    async def __anext__(self):
        await trio.lowlevel.checkpoint()
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if not isinstance(step, float):
                return step
            await trio.sleep(step)
        raise StopAsyncIteration


@pytest.fixture
def gateway_over():
    def make(*scripts, config=KEYS, catalogue=None):
        made = Made(list(scripts))
        gateway = Gateway(
            config=config,
            endpoints=built_in(config, None),
            catalogue=catalogue or load_catalogue(),
            connect=lambda *_: made,
            random=lambda: 0.5,
        )
        return gateway, made

    return make


def all_free(gateway):
    return all(
        view.current == view.expected and not view.waiting for view in gateway.permits().values()
    )


async def test_an_answer_with_everything_that_belongs_to_it(
    gateway_over, question, hearing, autojump_clock
):
    """Text, reasoning, usage, who was asked and who answered; chunks as they came."""
    gateway, made = gateway_over(ANSWER)

    answer = await gateway.chat(gateway.choose("GLM-4.6"), question(), hearing)

    assert (answer.text, answer.reasoning, answer.finish_reason) == ("yes indeed", "hm", "stop")
    assert answer.usage == Usage(input_tokens=1000, output_tokens=10, cached_tokens=400)
    assert (answer.model_requested, answer.model_used, answer.provider) == (
        "GLM-4.6",
        "glm-4.6",
        "glm",
    )
    assert (answer.cost, answer.currency, answer.notice, answer.simulated) == (
        None,
        "USD",
        None,
        False,
    )
    assert made.requests[0].model == "glm-4.6"
    assert hearing.chunks == ["yes", " indeed"]


async def test_stages_are_true_and_few(gateway_over, question, hearing, autojump_clock):
    """Thinking until the first word, then streaming; a new size every half second at most."""
    gateway, _ = gateway_over(
        (
            ReasoningDelta("hm"),
            *(TextDelta("four") for _ in range(50)),
            0.6,
            TextDelta("last"),
            ANSWER[-1],
        )
    )

    await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert hearing.stages == [
        ("thinking", "glm-4.6 has the question"),
        ("streaming", "about 2 tokens"),
        ("streaming", "about 52 tokens"),
    ]


async def test_a_price_makes_a_cost(gateway_over, question, hearing, autojump_clock):
    """In the price's own currency."""
    priced = load_catalogue().with_models(
        [
            ModelInfo(
                name="glm-4.6",
                provider="glm",
                price=Price(input=1.0, output=10.0, cached=0.1, currency="EUR"),
            )
        ]
    )
    gateway, _ = gateway_over(ANSWER, catalogue=priced)

    answer = await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert answer.cost == pytest.approx((600 * 1.0 + 400 * 0.1 + 10 * 10.0) / 1_000_000)
    assert answer.currency == "EUR"


@pytest.mark.parametrize(
    "case",
    [
        ("glm-4.6", Finish(reason="length", model="glm-4.6"), "cut off at the output limit"),
        (
            "glm-4.6",
            Finish(reason="stop", model="glm-4.5-air"),
            "glm-4.5-air says that it answered",
        ),
        (
            "moonshot-v1-8k",
            Finish(reason="stop", model="kimi-k2.6"),
            "moonshot-v1-8k is no longer offered",
        ),
    ],
)
async def test_what_is_not_as_asked_is_said(gateway_over, question, hearing, case, autojump_clock):
    """Cut answers, other models, successors: never silently."""
    model, last, notice = case
    gateway, _ = gateway_over((TextDelta("yes"), last))

    answer = await gateway.chat(gateway.choose(model), question(), hearing)

    assert notice in answer.notice


async def test_a_dated_name_is_the_same_model(gateway_over, question, hearing, autojump_clock):
    """Vendors append dates; that is no news."""
    gateway, _ = gateway_over((TextDelta("yes"), Finish(reason="stop", model="glm-4.6-20260901")))

    answer = await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert (answer.model_used, answer.notice) == ("glm-4.6-20260901", None)


async def test_all_attempts_carry_the_same_key(gateway_over, question, hearing, autojump_clock):
    """And the wait in between is told, with its reason."""
    gateway, made = gateway_over(
        (ProviderNetworkError("broke"),),
        (ReasoningDelta("hm"), ProviderNetworkError("broke")),
        ANSWER,
    )

    answer = await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert answer.text == "yes indeed"
    assert answer.reasoning == "hm"  # of the attempt that succeeded only
    assert {request.idempotency_key for request in made.requests} == {"session-1:request-1"}
    assert ("waiting for provider", "broke; attempt 2 in 0.2 s") in hearing.stages


async def test_a_duplicate_request_id_is_changed_and_the_key_is_not(
    gateway_over, question, hearing, autojump_clock
):
    """GLM's 1231."""
    duplicate = ProviderBusyError("duplicate", details={"reason": "duplicate_request_id"})
    gateway, made = gateway_over((duplicate,), (duplicate,), ANSWER)

    await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert [request.renumbered for request in made.requests] == [0, 1, 2]


async def test_nothing_is_tried_again_after_the_first_word(
    gateway_over, question, hearing, autojump_clock
):
    """The caller has read it."""
    gateway, made = gateway_over((TextDelta("half"), ProviderNetworkError("broke")), ANSWER)

    with pytest.raises(ProviderNetworkError):
        await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert (len(made.requests), hearing.chunks) == (1, ["half"])
    assert all_free(gateway)


async def test_permits_bound_the_requests_and_the_wait_is_told(
    gateway_over, question, new_hearing, autojump_clock
):
    """Two at once to GLM; the third says that it waits, and how long."""
    gateway, made = gateway_over((1.0, *ANSWER))
    choice = gateway.choose("glm-4.6")
    hearings = [new_hearing() for _ in range(3)]

    async with trio.open_nursery() as asking:
        for heard in hearings:
            asking.start_soon(gateway.chat, choice, question(), heard)
        await trio.testing.wait_all_tasks_blocked()
        during = gateway.permits()["glm"]

    assert during == Permits(expected=2, current=0, waiting=1)
    assert made.most_open == 2
    assert sorted(round(heard.waited[0][1], 3) for heard in hearings) == [0.0, 0.0, 1.0]
    assert sum(heard.stages[0][0] == "waiting for provider" for heard in hearings) == 1
    assert all_free(gateway)


async def test_the_permit_is_free_during_back_off(gateway_over, question, hearing, autojump_clock):
    """Who waits for the next attempt occupies nothing."""
    gateway, _ = gateway_over((ProviderBusyError("busy", retry_after_s=10),), ANSWER)

    async with trio.open_nursery() as asking:
        asking.start_soon(gateway.chat, gateway.choose("glm-4.6"), question(), hearing)
        await trio.sleep(5)
        during = gateway.permits()["glm"]

    assert during == Permits(expected=2, current=2, waiting=0)


async def test_too_many_at_once_lowers_our_own_number(
    gateway_over, question, hearing, autojump_clock
):
    """GLM's 1302: tried again, with fewer at once from now on."""
    gateway, _ = gateway_over(
        (ProviderBusyError("1302", details={"reason": "concurrency"}),), ANSWER
    )

    await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert gateway.permits()["glm"] == Permits(expected=1, current=1, waiting=0)


async def test_kimis_own_search(gateway_over, question, hearing, autojump_clock):
    """Its arguments go back unchanged; all rounds are one answer, their usage added up, each with a key of its own."""
    gateway, made = gateway_over(SEARCH, SEARCH, KIMI_ANSWER)

    answer = await gateway.chat(gateway.choose("kimi-k2.6"), question(web_search=True), hearing)

    call = ToolCall(id="s:0", name="$web_search", arguments='{"q":  1}', type="builtin_function")
    assert (answer.text, answer.tool_calls) == ("found", ())
    assert (answer.usage, answer.rounds) == (Usage(input_tokens=60, output_tokens=12), 3)
    assert [request.idempotency_key for request in made.requests] == [
        "session-1:request-1",
        "session-1:request-1.1",
        "session-1:request-1.2",
    ]
    assert made.requests[1].messages[1:] == (
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", text='{"q":  1}', tool_call_id="s:0"),
    )
    assert ("thinking", "kimi-k2.6 searches the web") in hearing.stages


async def test_endless_searching_is_ended(gateway_over, question, hearing, autojump_clock):
    """Five rounds, then it is a bad answer."""
    gateway, made = gateway_over(SEARCH)

    with pytest.raises(BadAnswerError, match="web searches"):
        await gateway.chat(gateway.choose("kimi-k2.6"), question(web_search=True), hearing)

    assert len(made.requests) == 5


async def test_other_tool_calls_are_the_callers(gateway_over, question, hearing, autojump_clock):
    """A call that is not the provider's own search is handed over, even beside one."""
    other = ToolCallDelta(index=1, id="t", name="fun", arguments="{}")
    gateway, _ = gateway_over((SEARCH[0], other, SEARCH[-1]))

    answer = await gateway.chat(gateway.choose("kimi-k2.6"), question(), hearing)

    assert [call.name for call in answer.tool_calls] == ["$web_search", "fun"]


async def test_images_to_a_blind_model_are_the_callers_mistake(
    gateway_over, question, hearing, autojump_clock
):
    """Named before anything is sent."""
    gateway, made = gateway_over(ANSWER)
    looked_at = (Message(role="user", text="look", images=(Image(url="data:x"),)),)

    with pytest.raises(ArgumentError, match=r"glm-4\.6v"):
        await gateway.chat(gateway.choose("glm-4.6"), question(messages=looked_at), hearing)

    assert made.requests == []


async def test_a_breaker_for_each_model(gateway_over, question, hearing, autojump_clock):
    """One model that fails does not shut out another; the open one is shown among the facts."""
    failing = [(BadAnswerError("empty"),)] * 5
    gateway, _ = gateway_over(*failing, ANSWER)
    for _ in range(2):
        with pytest.raises(BadAnswerError):
            await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    with pytest.raises(ProviderBusyError, match="failed 5 times"):
        await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)

    assert (await gateway.chat(gateway.choose("glm-5"), question(), hearing)).text
    assert gateway.providers()[0]["breakers"] == {"glm/glm-4.6": "open"}


async def test_what_kimis_adapter_refuses_by_itself_is_no_probe(question, hearing, autojump_clock):
    """A public link is refused before anything is sent: whether Kimi is well again is still not known."""
    gateway = Gateway(config=KEYS, endpoints=built_in(KEYS, None), catalogue=load_catalogue())
    breaker = gateway.guards.breakers.of("kimi/kimi-k2.6")
    for _ in range(5):
        breaker.settle(breaker.admit(0.0), "failure", trio.current_time())
    await trio.sleep(KEYS.circuit_breaker_timeout_secs)
    linked = (Message(role="user", text="look", images=(Image(url="https://x/y.png"),)),)

    with pytest.raises(ProviderRefusedError, match="public links"):
        await gateway.chat(gateway.choose("kimi-k2.6"), question(messages=linked), hearing)

    assert gateway.providers()[1]["breakers"] == {"kimi/kimi-k2.6": "half open"}


async def test_breakers_can_be_switched_off(gateway_over, question, hearing, autojump_clock):
    """CIRCUIT_BREAKER_ENABLED=false."""
    gateway, _ = gateway_over(
        (BadAnswerError("empty"),), config=attrs.evolve(KEYS, circuit_breaker_enabled=False)
    )

    for _ in range(9):
        with pytest.raises(BadAnswerError):
            await gateway.chat(gateway.choose("glm-4.6"), question(), hearing)


async def test_breakers_do_not_pile_up(gateway_over, question, hearing, autojump_clock):
    """Callers may name any number of models; what is in good order is forgotten."""
    gateway, _ = gateway_over(ANSWER)

    for number in range(600):
        await gateway.chat(gateway.choose(f"glm-x{number}"), question(), hearing)

    assert len(gateway.guards.breakers.known) <= 256


async def test_other_requests_are_guarded_too(gateway_over, hearing, autojump_clock):
    """Under permits, tried again if that is safe."""
    gateway, _ = gateway_over([ProviderBusyError("busy")], [], [ProviderBusyError("busy")], [])

    files = await gateway.ask("kimi", lambda kimi: kimi.list_files(), hearing)
    with pytest.raises(ProviderBusyError):
        await gateway.ask("kimi", lambda kimi: kimi.list_files(), hearing, repeatable=False)

    assert files == ()
    assert all_free(gateway)


async def test_a_provider_that_is_not_there(gateway_over, hearing):
    """Says what to set; one that nobody has heard of, where to name it."""
    gateway, _ = gateway_over(ANSWER, config=attrs.evolve(Config(), kimi_api_key="k"))

    with pytest.raises(ServiceUnavailableError, match="GLM_API_KEY"):
        await gateway.ask("glm", lambda glm: glm.list_files(), hearing)
    with pytest.raises(ServiceUnavailableError, match="EXAI_PROVIDERS_FILE"):
        await gateway.ask("claude", lambda it: it.list_files(), hearing)


def test_facts_without_any_key(gateway_over):
    """Everything that needs no model still works, and shows the remedies."""
    gateway, _ = gateway_over(ANSWER, config=Config())

    assert gateway.models() == ()
    assert len(gateway.catalogue()) > 20
    assert gateway.permits() == {}
    with pytest.raises(ServiceUnavailableError, match="EXAI_SIMULATE"):
        gateway.choose("auto")


async def test_facts_name_providers_and_hide_keys(gateway_over, autojump_clock):
    """Plain data for the diagnostic tools."""
    gateway, _ = gateway_over(ANSWER, config=attrs.evolve(Config(), glm_api_key="very-secret"))
    await trio.lowlevel.checkpoint()

    glm, kimi = gateway.providers()

    assert (glm["configured"], kimi["configured"]) == (True, False)
    assert "KIMI_API_KEY" in kimi["remedy"]
    assert "web_search" in glm["capabilities"]
    assert "very-secret" not in repr(gateway)
    assert "very-secret" not in repr(gateway.providers())


async def test_kimis_list_joins_the_catalogue(gateway_over, autojump_clock):
    """New models can be chosen by name and are shown."""
    gateway, _ = gateway_over(ANSWER)

    await gateway.refresh_models()

    assert gateway.choose("kimi-k9").model.sees
    assert "kimi-k9" in {model.name for model in gateway.models()}


async def test_a_list_that_does_not_come_is_only_logged(
    gateway_over, autojump_clock, monkeypatch, caplog
):
    """The catalogue stays as it is."""
    gateway, _ = gateway_over(ANSWER)

    async def refuse(_self):
        await trio.lowlevel.checkpoint()
        raise ProviderAuthError("no")

    monkeypatch.setattr(Made, "list_models", refuse)
    with caplog.at_level("INFO", logger="exai.providers"):
        await gateway.refresh_models()

    with pytest.raises(NotFoundError):
        gateway.choose("kimik9")
    assert "model list not refreshed" in caplog.text


async def test_cancelling_anywhere_leaves_nothing_behind(
    gateway_over, question, hearing, autojump_clock, cancel_at_every_step
):
    """No permit, no open stream, no breaker that knows of it: with retries, search rounds and a wait for a permit."""
    config = attrs.evolve(KEYS, ws_kimi_max_inflight=1)
    gateway, made = gateway_over(SEARCH, config=config)

    async def one():
        with trio.CancelScope():
            made.scripts[:] = [(ProviderBusyError("busy"),), SEARCH, (0.1, *KIMI_ANSWER)]
            await gateway.chat(gateway.choose("kimi-k2.6"), question(web_search=True), hearing)

    async def scenario():
        async with trio.open_nursery() as asking:
            asking.start_soon(one)
            asking.start_soon(one)

    def invariant():
        assert all_free(gateway)
        assert made.open_streams == 0
        assert all(
            breaker.failures <= 2 and not breaker._probing
            for breaker in gateway.guards.breakers.known.values()
        )
        gateway.guards.breakers.known.clear()

    steps = await cancel_at_every_step(scenario, invariant)

    assert steps > 10
