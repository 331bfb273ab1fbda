"""The body of a 200: what is an answer and what is none."""

import json

import attrs
import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import (
    BadAnswerError,
    PromptTooLongError,
    ProviderBusyError,
    ProviderError,
    ProviderNetworkError,
    ProviderRefusedError,
)
from exai_trio.providers.adapter import Deltas
from exai_trio.providers.answers.stream_reader import AnswerReader
from exai_trio.providers.base import (
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from exai_trio.providers.dialects.generic import plain_dialect
from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect

GLM = glm_dialect("https://api.z.ai/api/paas/v4")
KIMI = kimi_dialect("https://api.moonshot.ai/v1")
PLAIN = plain_dialect("router")
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def event(said):
    return f"data: {said if isinstance(said, str) else json.dumps(said)}\n\n".encode()


def chunk(delta=None, finish=None, **more):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "1", "model": "m-1", "choices": [choice], **more})


DONE = event("[DONE]")


def read(*pieces, dialect=GLM):
    reader = AnswerReader(dialect=dialect, model="asked")
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas if reader.done else deltas + reader.end()


def test_glms_stream():
    """Role in every chunk, usage in the finish chunk."""
    deltas = read(
        chunk({"role": "assistant", "reasoning_content": "hm"}),
        chunk({"role": "assistant", "content": "yes"}),
        chunk(
            {"role": "assistant", "content": ""}, "stop", usage=USAGE, web_search=[{"title": "t"}]
        ),
        DONE,
    )

    assert deltas == [
        ReasoningDelta("hm"),
        TextDelta("yes"),
        UsageDelta(Usage(input_tokens=5, output_tokens=7)),
        Finish(reason="stop", model="m-1", web_results=({"title": "t"},)),
    ]


def test_kimis_stream():
    """Role once, then a chunk without choices for the usage; the finish still comes last."""
    deltas = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "yes"}),
        chunk({}, "stop"),
        event({"id": "1", "model": "m-1", "choices": [], "usage": {**USAGE, "cached_tokens": 3}}),
        DONE,
        dialect=KIMI,
    )

    assert deltas == [
        TextDelta("yes"),
        UsageDelta(Usage(input_tokens=5, output_tokens=7, cached_tokens=3)),
        Finish(reason="stop", model="m-1"),
    ]


def test_usage_inside_the_choice():
    """The third place where it has been seen; cached tokens in the details form."""
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 2}}
    last = {"model": "m", "choices": [{"delta": {}, "finish_reason": "stop", "usage": usage}]}

    deltas = read(chunk({"content": "yes"}), event(last), DONE)

    assert UsageDelta(Usage(input_tokens=5, output_tokens=7, cached_tokens=2)) in deltas


async def test_what_comes_in_one_piece_of_the_body_is_told_at_once():
    """Text is one delta, and so is thinking; their order, and what stands between them, stay."""
    said = [
        {"reasoning_content": "so"},
        {"reasoning_content": " so"},
        {"content": "a"},
        {"content": "b"},
    ]
    body = Pieces([b"".join(map(chunk, said)), chunk({"content": "c"}, "stop") + DONE])
    deltas = Deltas(body=body, reader=AnswerReader(dialect=GLM, model="glm-4.6"))
    *told, _ = [delta async for delta in deltas]

    assert [ReasoningDelta("so so"), TextDelta("ab"), TextDelta("c")] == told


@attrs.define
class Pieces:
    """A body that comes in these pieces."""

    left: list
    headers: dict = attrs.field(factory=dict)

    async def next_piece(self):
        return self.left.pop(0) if self.left else None

    def finish(self):
        return


def test_tool_calls_in_pieces_and_with_an_object_for_arguments():
    """Id and name come once; GLM's own description has arguments as an object."""
    deltas = read(
        chunk(
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a"'},
                    }
                ]
            }
        ),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk(
            {"tool_calls": [{"id": "d", "function": {"name": "g", "arguments": {"b": [1, 2]}}}]},
            "tool_calls",
        ),
        DONE,
    )

    assert deltas[:2] == [
        ToolCallDelta(index=0, id="c", name="f", arguments='{"a": 1}'),
        ToolCallDelta(index=1, id="d", name="g", arguments='{"b":[1,2]}'),
    ]


def test_an_answer_that_is_not_streamed():
    """Endpoints that ignore `stream` are understood."""
    whole = {
        "model": "m-1",
        "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }

    assert read(json.dumps(whole).encode()) == [
        TextDelta("yes"),
        UsageDelta(Usage(input_tokens=5, output_tokens=7)),
        Finish(reason="stop", model="m-1"),
    ]


def test_an_unfinished_answer_by_length_is_an_answer():
    """Cut by the output limit, but with something in it."""
    assert read(chunk({"content": "half"}, "length"), DONE)[-1] == Finish(
        reason="length", model="m-1"
    )


@pytest.mark.parametrize("dialect", [GLM, KIMI, PLAIN])
def test_a_finish_reason_is_enough(dialect):
    """After it the answer is whole, also where a gateway drops the [DONE] behind it."""
    stream = (chunk({"content": "yes"}), chunk({}, "stop"))

    assert isinstance(read(*stream, dialect=dialect)[-1], Finish)


TEXT = chunk({"content": "yes"})
HTML = b"<!DOCTYPE html><html><body>504</body></html>"


@pytest.mark.parametrize(
    ("pieces", "error", "reason"),
    [
        ((TEXT,), BadAnswerError, "cut"),
        ((TEXT, DONE), BadAnswerError, "cut"),
        ((TEXT, event('{"id": "1", "choi')), BadAnswerError, "broken_json"),
        ((TEXT, event("nonsense"), DONE), BadAnswerError, "broken_json"),
        ((TEXT, event("[1]"), DONE), BadAnswerError, "broken_json"),
        ((event({"choices": 3}),), BadAnswerError, "broken_json"),
        ((chunk({"content": 3}),), BadAnswerError, "broken_json"),
        ((chunk({}, "stop"), DONE), BadAnswerError, "empty"),
        ((chunk({"content": " \n"}, "stop"), DONE), BadAnswerError, "empty"),
        ((chunk({"reasoning_content": "hm"}, "stop"), DONE), BadAnswerError, "empty"),
        ((chunk({"reasoning_content": "hm"}, "length"), DONE), BadAnswerError, "length"),
        ((DONE,), BadAnswerError, "no_choices"),
        ((event({"id": "1", "choices": []}), DONE), BadAnswerError, "no_choices"),
        ((), BadAnswerError, "empty"),
        ((b" \n",), BadAnswerError, "empty"),
        ((b": keep-alive\n\n",), BadAnswerError, "cut"),
        ((HTML,), BadAnswerError, "html"),
        ((b"{}",), BadAnswerError, "no_choices"),
        ((b'{"id": "1", "choices": []}',), BadAnswerError, "no_choices"),
        ((b'{"id": "1", "choi',), BadAnswerError, "broken_json"),
        ((b"[]",), BadAnswerError, "broken_json"),
        ((b'{"error": {"code": "1305", "message": "overloaded"}}',), ProviderBusyError, "overloaded"),
        ((b'{"error": {"code": "1113", "message": "no money"}}',), ProviderError, "balance"),
        ((b'{"error": {"message": "?"}}',), BadAnswerError, "error_in_answer"),
        ((b'{"code": 500, "msg": "404 NOT_FOUND", "success": false}',), ProviderBusyError, "unavailable"),
        ((TEXT, event({"error": {"code": "1302", "message": "slow"}})), ProviderBusyError, "concurrency"),
        ((TEXT, b"event: error\n" + event({"error": {"code": "1234"}})), ProviderNetworkError, "network_error"),
        ((TEXT, event({"error": "just text"})), BadAnswerError, "error_in_answer"),
        ((chunk({}, "sensitive"), DONE), ProviderRefusedError, "policy"),
        ((TEXT, chunk({}, "network_error"), DONE), ProviderNetworkError, "network_error"),
        ((chunk({}, "model_context_window_exceeded"), DONE), PromptTooLongError, "prompt_too_long"),
    ],
)  # fmt: skip
def test_what_is_no_answer(pieces, error, reason):
    """Cut, empty, broken, HTML, an error inside: each with its own kind and reason."""
    with pytest.raises(error) as caught:
        read(*pieces)

    assert caught.value.details["reason"] == reason


def test_kimis_error_inside_a_200():
    """By type, as everywhere with Kimi."""
    with pytest.raises(ProviderBusyError, match="overloaded"):
        read(
            b'{"error": {"type": "engine_overloaded_error", "message": "overloaded"}}', dialect=KIMI
        )


def test_thinking_that_used_up_the_limit_is_not_tried_again():
    """The same request would end the same."""
    with pytest.raises(BadAnswerError) as caught:
        read(chunk({"reasoning_content": "hm"}, "length"), DONE)

    assert caught.value.details["max_attempts"] == 1


def test_think_tags_become_reasoning():
    """glm-4.5v may write its thinking into the answer."""
    deltas = read(
        chunk({"content": "<think>hm"}), chunk({"content": "</think>yes"}), chunk({}, "stop"), DONE
    )

    assert deltas[:2] == [ReasoningDelta("hm"), TextDelta("yes")]


@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([TEXT, DONE, chunk({}, "stop"), b"data: {", b"\n\n"]),
        max_size=6,
    )
)
def test_any_bytes_give_an_answer_or_a_provider_error(pieces):
    """Never another exception, whatever a broken service or proxy sends."""
    try:
        deltas = read(*pieces)
    except ProviderError:
        return

    assert isinstance(deltas[-1], Finish)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "arguments",
                    "usage",
                    "code",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_gives_an_answer_or_a_provider_error(said):
    """As an event and as a whole body."""
    for body in (event(said) + DONE, json.dumps(said).encode()):
        try:
            read(body)
        except ProviderError:
            continue
