"""Any field of what providers send may be of any type: what is needed is read strictly, and all else costs itself alone."""

import json
import logging
import typing
from functools import partial

import attrs
import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import BadAnswerError
from exai_trio.providers.answers import chunk, records
from exai_trio.providers.answers.lenient_records import Unreadable
from exai_trio.providers.dialects import glm, kimi

ODD = {
    "null": None, "true": True, "false": False, "zero": 0, "negative": -3, "fraction": 14417.92, "huge": 10**400,
    "text": "text", "empty text": "", "number as text": "3", "fraction as text": "2.5", "infinite": "Infinity",
    "list": [1, "a"], "empty list": [], "records": [{"a": 1}], "record": {"a": {"b": [1]}}, "empty record": {},
    "half a character": "\ud83d",
}  # fmt: skip
# What an answer is made of; anything else is beside it.
NEEDED = {"choices", "delta", "message", "content", "finish_reason", "error"}
PLACES = {
    chunk.Chunk: lambda said: said,
    chunk.Choice: lambda said: said["choices"][0],
    chunk.Said: lambda said: said["choices"][0]["delta"],
    chunk.Counted: lambda said: said["usage"],
    chunk.CachedPart: lambda said: said["usage"]["prompt_tokens_details"],
    chunk.ReasoningPart: lambda said: said["usage"]["completion_tokens_details"],
    chunk.CallPiece: lambda said: said["choices"][0]["delta"]["tool_calls"][0],
    chunk.Function: lambda said: said["choices"][0]["delta"]["tool_calls"][0]["function"],
}


def fields_beside():
    return [
        pytest.param((kind, field.name), id=f"{kind.__name__}.{field.name}")
        for kind in PLACES
        for field in attrs.fields(kind)
        if field.name not in NEEDED | {"refusal"}
    ]


def whole_chunk():
    """All that we read, in one chunk."""
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    delta = {"content": "the answer", "reasoning_content": "hm", "tool_calls": [call]}
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    return {
        "id": "1",
        "model": "m-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}],
        "usage": usage,
        "web_search": [{"title": "t", "link": "https://x"}],
    }


@pytest.mark.parametrize("place", fields_beside())
def test_a_field_beside_the_answer(read, streams, provider, place):
    """Of any type, in a stream or in a whole answer: the text comes."""
    kind, field = place
    for odd, value in ODD.items():
        said = whole_chunk()
        PLACES[kind](said)[field] = value

        streamed = read(streams.event(said), streams.DONE, provider=provider)
        said["choices"][0]["message"] = said["choices"][0].pop("delta")
        whole = read(json.dumps(said).encode(), provider=provider)

        assert (odd, "the answer", "the answer") == (odd, streamed.text, whole.text)
        json.dumps(attrs.asdict(streamed.answer), ensure_ascii=False).encode()


@pytest.mark.parametrize("field", ["id", "object", "created", "system_fingerprint", "x"])
def test_a_field_that_we_do_not_read(read, streams, field):
    """It is not looked at."""
    for value in ODD.values():
        assert read(streams.event(whole_chunk() | {field: value}), streams.DONE).text


@pytest.mark.parametrize(
    ("given", "counted"),
    [("3", 3), (14417.92, 14417), ("2.0", 2), (-1, 0), (None, 0), (True, 0), ("many", 0), ([], 0), (2**70, 0), ("Infinity", 0)],
)  # fmt: skip
def test_counts(read, streams, given, counted):
    """Numbers as text and fractions count; what is no count is 0, and the others stay."""
    usage = {"prompt_tokens": given, "completion_tokens": 2}

    found = read(streams.chunk({"content": "yes"}, "stop", usage=usage), streams.DONE)

    assert (counted, 2) == (found.answer.usage.input_tokens, found.answer.usage.output_tokens)


@pytest.mark.parametrize(
    "usage", ["3", 3, True, [], [1], "", {"total_tokens": 5}, {"prompt_tokens_details": "none"}]
)
def test_usage_of_another_type(read, streams, usage):
    """The answer, without counts."""
    found = read(streams.chunk({"content": "yes"}, "stop", usage=usage), streams.DONE)

    assert ("yes", 0) == (found.text, found.answer.usage.input_tokens)


@pytest.mark.parametrize(
    "search", [{"title": "t"}, [{"title": "t"}, 3, None], [None, {"title": "t"}]]
)
def test_search_results_of_another_type(read, streams, search):
    """A single result stands for a list of one; entries that are none are left out."""
    found = read(streams.chunk({"content": "yes"}, "stop", web_search=search), streams.DONE)

    assert {"title": "t"} in found.answer.finish.web_results


@pytest.mark.parametrize(
    "case",
    [
        ([{"type": "text", "text": "yes"}], "yes", ""),
        (["y", "es"], "yes", ""),
        ({"type": "text", "text": "yes"}, "yes", ""),
        ([{"type": "output_text", "text": "yes"}], "yes", ""),
        ([{"type": "text", "text": {"value": "yes", "annotations": []}}], "yes", ""),
        ([{"type": "text", "content": "yes"}], "yes", ""),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}], "yes", "hm"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, "yes"], "yes", "hm"),
        ([{"type": "reasoning", "text": "hm"}, {"text": "yes"}], "yes", "hm"),
        ([{"type": "reasoning", "summary": [{"text": "hm"}]}, {"text": "yes"}], "yes", "hm"),
        ([{"type": "image_url", "image_url": {"url": "data:"}}, {"text": "yes"}], "yes", ""),
        ([None, "", {}, [], {"text": "yes"}], "yes", ""),
    ],
)
def test_content_in_parts(read, streams, provider, case):
    """The texts of parts are the text, and those of thinking the thoughts, also of a message."""
    content, text, thought = case
    streamed = read(streams.stream(content), provider=provider)
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    at_once = read(json.dumps(whole).encode(), provider=provider)

    assert (
        (text, thought) == (streamed.text, streamed.reasoning) == (at_once.text, at_once.reasoning)
    )


@pytest.mark.parametrize("content", [3, True, 1.5, [3], [[True]]])
def test_content_that_is_no_text(read, streams, content):
    """The text of an answer is read strictly: nothing is made up."""
    with pytest.raises(BadAnswerError, match="JSON it should be"):
        read(streams.stream(content))


@pytest.mark.parametrize("choices", [3, "text", [3], [{"delta": "text"}], [{"delta": 3}]])
def test_choices_that_are_none(read, streams, choices):
    """What holds the text is read strictly too."""
    with pytest.raises(BadAnswerError, match="JSON it should be"):
        read(streams.event({"choices": choices}), streams.stream("yes"))


@pytest.mark.parametrize(
    "choice",
    [{"delta": None}, {"delta": []}, {"delta": ""}, {}, {"delta": {}, "message": None}, {"delta": {"content": None}}],
)  # fmt: skip
def test_choices_without_a_text(read, streams, choice):
    """Nothing, in whatever form, is nothing."""
    assert read(streams.event({"choices": [choice]}), streams.stream("yes")).text == "yes"


@pytest.mark.parametrize(
    "finish", [True, 1, {"type": "stop"}, {"reason": "stop"}, " stop", ["stop"]]
)
def test_a_finish_reason_of_another_type(read, streams, finish):
    """It is an end all the same."""
    assert read(streams.chunk({"content": "yes"}, finish), streams.DONE).text == "yes"


@pytest.mark.parametrize("finish", ["", "null", False, None, 0, []])
def test_no_finish_reason(read, streams, finish):
    """None in whatever form is none, in each chunk before the last."""
    assert read(streams.chunk({"content": "yes "}, finish), streams.stream("yes")).text == "yes yes"


def test_a_message_that_repeats_the_deltas(read, streams):
    """The whole message in the last chunk of a stream is not a second answer."""
    last = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}

    assert read(streams.chunk({"content": "yes"}), streams.event(last), streams.DONE).text == "yes"


@pytest.mark.parametrize(
    "behind",
    [
        b"data: {\"choi\n\n", b"data: [1]\n\n", b"data: nonsense\n\n", b'data: {"choices": 3}\n\n', b"\xff\xfe\n\n",
        b'data: {"error": {"message": "billing is down"}}\n\n', b"<html></html>\n\n",
    ],
)  # fmt: skip
def test_what_stands_behind_the_end(read, streams, provider, behind):
    """A finished answer is whole; an error behind it is told beside it."""
    found = read(streams.chunk({"content": "yes"}, "stop") + behind, provider=provider)

    assert found.text == "yes"
    assert (b"billing" in behind) == any(
        "billing is down" in n for n in found.answer.finish.notices
    )


RECORDS = {
    "file": (records.file, records.File, {"id": "f", "filename": "a", "bytes": 1, "created_at": 2, "purpose": "p"}),
    "files": (records.files, records.Files, {"data": [{"id": "f"}]}),
    "models": (records.models, records.Models, {"data": [{"id": "m"}]}),
    "model": (
        lambda body: records.models(b'{"data": [' + body + b"]}"),
        records.Model,
        {"id": "m", "context_length": 5, "supports_image_in": True, "supports_reasoning": False},
    ),
    "kimi's tokens": (kimi.counted_tokens, kimi._Count, {"data": {"total_tokens": 80}}),
    "glm's tokens": (glm.counted_tokens, glm._Count, {"usage": {"prompt_tokens": 80, "total_tokens": 81}}),
    "glm's search": (glm.found, glm._Found, {"search_result": [{"title": "t"}]}),
    "balance": (partial(kimi.balance, currency="USD"), kimi._Money, {"data": {"available_balance": 49.5}}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "field"),
    [(name, field.name) for name, (_, kind, _) in RECORDS.items() for field in attrs.fields(kind)],
)
def test_a_field_of_a_record(record, field):
    """Read, or left at its default; only what has none may fail, and in one way."""
    decode, kind, said = RECORDS[record]
    needed = getattr(attrs.fields(kind), field).default is attrs.NOTHING

    for value in ODD.values():
        try:
            decode(json.dumps(said | {field: value}).encode())
        except Unreadable:
            assert needed


@pytest.mark.parametrize("odd", ODD)
def test_a_number_in_a_side_service(odd):
    """Counts and money as text or fraction are read; what is no number is a fault, never a made-up 0."""
    for record, outer, inner in (
        ("kimi's tokens", "data", "total_tokens"),
        ("balance", "data", "available_balance"),
    ):
        decode = RECORDS[record][0]
        body = json.dumps({outer: {inner: ODD[odd]}}).encode()
        if odd in {"zero", "negative", "fraction", "number as text", "fraction as text"} or (
            odd == "huge" and inner == "total_tokens"
        ):
            decode(body)
        else:
            with pytest.raises(Unreadable):
                decode(body)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]),
        (b'[{"id": "a"}]', ["a"]),
        (b'{"data": null}', []),
        (b'{"data": []}', []),
        (b'{"data": {"id": "a"}}', ["a"]),
        (b'{"data": [{"id": "a"}, 3, {"object": "model"}]}', ["a"]),
        (b'\xef\xbb\xbf{"data": [{"id": "a", "owned_by": "\xff"}]}', ["a"]),
    ],
)
def test_lists_of_models(body, names):
    """An entry that is none costs itself; a list may come without its envelope."""
    assert names == [model.id for model in records.models(body).data or ()]


def test_what_was_lost_is_logged(caplog):
    """A word in the log names the fields."""
    with caplog.at_level(logging.INFO, "exai.providers"):
        found = records.file(b'{"id": 7, "bytes": "12", "created_at": "2026-01-01"}').ours

    assert (found.id, found.size, found.created_at) == ("7", 12, 0)
    assert caplog.records[0].fields == ["created_at"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(RECORDS)), st.data())
def test_any_value_in_any_record(record, data):
    """A record or Unreadable, never another exception."""
    decode, kind, said = RECORDS[record]
    field = data.draw(st.sampled_from([field.name for field in attrs.fields(kind)]))

    try:
        decode(json.dumps(said | {field: data.draw(json_values)}).encode())
    except Unreadable:
        return


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting(read, streams, depth, opening):
    """It ends in one of our errors, as a chunk, a whole answer or a record."""
    deep = opening * depth
    with pytest.raises(BadAnswerError):
        read(b"data: " + deep + b"\n\n", streams.DONE)
    with pytest.raises(BadAnswerError):
        read(deep)
    with pytest.raises(Unreadable):
        records.files(deep)


def test_every_type_that_we_read_is_tried():
    """A new field of a chunk comes into the table of itself."""
    kinds = {kind for kind in vars(chunk).values() if isinstance(kind, type) and attrs.has(kind)}

    assert set(PLACES) == {kind for kind in kinds if kind.__module__ == chunk.__name__}
    assert typing.get_type_hints(chunk.Chunk)
