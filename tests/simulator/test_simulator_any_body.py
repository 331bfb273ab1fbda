"""Whatever a client sends, the simulator answers: with its service's refusal, or with an answer. No sockets."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from exai_trio.simulator.chat.completions import glm_chat, kimi_chat
from exai_trio.simulator.server.exchange import reply
from exai_trio.simulator.server.response_script import End, Start
from exai_trio.simulator.server.side_endpoints import GLM_OFFERS, KIMI_OFFERS
from exai_trio.simulator.state import SimulatorState, Visit

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from([
    "role", "content", "type", "text", "url", "image_url", "tool_calls", "tool_call_id", "function",
    "name", "arguments", "parameters", "properties", "required", "enum", "id", "web_search", "count",
    "user", "system", "tool", "assistant",
])  # fmt: skip
JSON = st.recursive(
    SCALARS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("messages", "tools", "tool_choice", "stream", "temperature", "max_tokens", "stop", "thinking",
          "reasoning_effort", "response_format", "request_id", "search_query", "url", "arguments")  # fmt: skip
BODIES = st.fixed_dictionaries(
    {"model": st.sampled_from(["glm-4.6", "glm-5.3", "kimi-k3", "kimi-k2.6"]) | JSON},
    optional=dict.fromkeys(FIELDS, JSON),
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "system", "assistant", "tool"]),
            "content": st.text(min_size=1, max_size=20),
        }
    ),
    min_size=1,
    max_size=3,
)


def answered(vendor, endpoint, raw):
    simulator_state = SimulatorState()
    visit = Visit(
        number=1, vendor=vendor, method="POST", path="/x", query="", headers={}, at=0.0
    )  # fmt: skip
    simulator_state.enter(visit)
    scope = {"headers": [(b"authorization", b"Bearer k")], "path_params": {"file_id": "x", "formula": "x"}}  # fmt: skip
    steps = list(reply(simulator_state, visit, endpoint, scope, raw))
    return simulator_state.crashes, steps


@pytest.mark.parametrize(("vendor", "endpoint"), [("glm", glm_chat), ("kimi", kimi_chat)])
@given(body=BODIES, messages=st.none() | MESSAGES)
@settings(max_examples=settings.default.max_examples * 4 // 5)
def test_any_chat_body_is_answered(vendor, endpoint, body, messages):
    """Odd types and missing fields are refused in order, never by a crash."""
    if messages is not None:
        body["messages"] = messages
    crashes, steps = answered(vendor, endpoint, json.dumps(body).encode())

    assert crashes == 0
    assert isinstance(steps[0], Start)
    assert isinstance(steps[-1], End)


@pytest.mark.parametrize("offer", [*GLM_OFFERS, *KIMI_OFFERS], ids=lambda offer: offer.path)
@given(raw=st.binary(max_size=40) | BODIES.map(lambda body: json.dumps(body).encode()))
@settings(max_examples=8)
def test_any_bytes_are_answered(offer, raw):
    """The same for every endpoint, and for bytes that are no JSON."""
    vendor = "glm" if offer in GLM_OFFERS else "kimi"
    crashes, steps = answered(vendor, offer.endpoint, raw)

    assert crashes == 0
    assert isinstance(steps[-1], End)


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1" + "0" * 400, "-1e999"])
@pytest.mark.parametrize(("vendor", "model"), [("glm", "glm-4.6"), ("kimi", "kimi-k3")])
@pytest.mark.parametrize("field", ["temperature", "max_tokens", "max_completion_tokens", "n"])
def test_impossible_numbers(number, vendor, model, field):
    """Numbers that no float holds are refused like any other wrong value."""
    raw = f'{{"model":"{model}","messages":[{{"role":"user","content":"x"}}],"{field}":{number}}}'
    crashes, _ = answered(vendor, glm_chat if vendor == "glm" else kimi_chat, raw.encode())

    assert crashes == 0
