"""Streams of tool calls, as they are reported of services and gateways: which calls come of them."""

import json

import pytest
from hypothesis import given, strategies as st

B, T = '{"city":"Beijing"}', '{"city":"Tokyo"}'


def piece(arguments=None, name=None, id=None, index=None, **more):  # noqa: A002 - the field's name
    function = {"name": name, "arguments": arguments}
    said = {
        "index": index,
        "id": id,
        "function": {k: v for k, v in function.items() if v is not None},
    }
    return {k: v for k, v in said.items() if v is not None} | more


def cut(text, size=5):
    return [text[at : at + size] for at in range(0, len(text), size)]


# Each stream is a list of chunks, each chunk a list of pieces; then the calls as (name, arguments), and the ids where they matter.
STREAMS = {
    "by the description": (
        [[piece("", "get", "a1", 0)], *([piece(p, index=0)] for p in cut(B)), [piece("", "now", "a2", 1)], *([piece(p, index=1)] for p in cut(T))],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "one index, two ids": ([[piece(B, "get", "a1", 0)], [piece(T, "get", "a2", 0)]], [("get", B), ("get", T)], ["a1", "a2"]),
    "one index, two names": ([[piece(B, "get", "a1", 0)], [piece(T, "now", "a2", 0)]], [("get", B), ("now", T)], ["a1", "a2"]),
    "one index, in pieces": (
        [[piece("", "get", "a1", 0)], *([piece(p, index=0)] for p in cut(B)), [piece("", "get", "a2", 0)], *([piece(p, index=0)] for p in cut(T))],
        [("get", B), ("get", T)], ["a1", "a2"]),
    "one index, no ids, two names": ([[piece(B, "get", index=0)], [piece(T, "now", index=0)]], [("get", B), ("now", T)], None),
    "one index, no ids, one name": ([[piece(B, "get", index=0)], [piece(T, "get", index=0)]], [("get", B), ("get", T)], None),
    "one index, nothing but arguments": ([[piece(B, "get", "a1", 0)], [piece(T, index=0)]], [("get", B), ("get", T)], None),
    "one index, one chunk": ([[piece(B, "get", "a1", 0), piece(T, "get", "a2", 0)]], [("get", B), ("get", T)], ["a1", "a2"]),
    "no index, two ids": ([[piece(B, "get", "a1")], [piece(T, "now", "a2")]], [("get", B), ("now", T)], ["a1", "a2"]),
    "no index, one name": ([[piece(B, "get", "a1")], [piece(T, "get", "a2")]], [("get", B), ("get", T)], ["a1", "a2"]),
    "no index, no ids": ([[piece(B, "get")], [piece(T, "now")]], [("get", B), ("now", T)], None),
    "no index, one chunk": ([[piece(B, "get", "a1"), piece(T, "now", "a2")]], [("get", B), ("now", T)], ["a1", "a2"]),
    "no index, in pieces": (
        [[piece("", "get", "a1")], *([piece(p)] for p in cut(B)), [piece("", "now", "a2")], *([piece(p)] for p in cut(T))],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "no index, ids at each piece": (
        [[piece(cut(B)[0], "get", "a1")], *([piece(p, id="a1")] for p in cut(B)[1:]), [piece(cut(T)[0], "now", "a2")], *([piece(p, id="a2")] for p in cut(T)[1:])],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "no index, woven by id": (
        [[piece("", "get", "a1")], [piece("", "now", "a2")], *([piece(p, id=i)] for pair in zip(cut(B, 9), cut(T, 8), strict=True) for p, i in zip(pair, ("a1", "a2"), strict=True))],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "woven by index": (
        [[piece("", "get", "a1", 0), piece("", "now", "a2", 1)], *([piece(p, index=i)] for pair in zip(cut(B, 9), cut(T, 8), strict=True) for i, p in enumerate(pair))],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "woven in one chunk": (
        [[piece("", "get", "a1", 0), piece("", "now", "a2", 1)], *([piece(p, index=i) for i, p in enumerate(pair)] for pair in zip(cut(B, 9), cut(T, 8), strict=True))],
        [("get", B), ("now", T)], ["a1", "a2"]),
    "another id at each piece": (
        [[piece("", "get", "x0", 0)], *([piece(p, id=f"x{n}", index=0)] for n, p in enumerate(cut(B), 1))], [("get", B)], ["x0"]),
    "another id at each piece, with the name": (
        [[piece("", "get", "x0", 0)], *([piece(p, "get", f"x{n}", 0)] for n, p in enumerate(cut(B), 1))], [("get", B)], ["x0"]),
    "another id at each piece, no index": (
        [[piece("", "get", "x0")], *([piece(p, id=f"x{n}")] for n, p in enumerate(cut(B), 1))], [("get", B)], ["x0"]),
    "another id at the last, empty piece": ([[piece(B, "get", "x0", 0)], [piece("", id="x1", index=0)]], [("get", B)], ["x0"]),
    "an object within, another id": ([[piece('{"a":', "get", "x0", 0)], [piece('{"b":1}', "get", "x1", 0)], [piece("}", "get", "x2", 0)]], [("get", '{"a":{"b":1}}')], ["x0"]),
    "one id at each piece": ([[piece(p, "get", "a1", 0)] for p in cut(B)], [("get", B)], ["a1"]),
    "empty id and name behind": ([[piece(cut(B)[0], "get", "a1", 0)], *([piece(p, "", "", 0)] for p in cut(B)[1:])], [("get", B)], ["a1"]),
    "null id and name behind": (
        [[piece(cut(B)[0], "get", "a1", 0)], *([{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": p}}] for p in cut(B)[1:])],
        [("get", B)], ["a1"]),
    "index at the first piece alone": ([[piece("", "get", "a1", 0)], *([piece(p)] for p in cut(B))], [("get", B)], ["a1"]),
    "index counted up": ([[piece(cut(B)[0], "get", "a1", 0)], *([piece(p, index=n)] for n, p in enumerate(cut(B)[1:], 1))], [("get", B)], ["a1"]),
    "index from one": ([[piece(B, "get", "a1", 1)], [piece(T, "now", "a2", 2)]], [("get", B), ("now", T)], ["a1", "a2"]),
    "index as text": ([[piece("", "get", "a1", "0")], *([piece(p, index="0")] for p in cut(B))], [("get", B)], ["a1"]),
    "index as a fraction": ([[piece(B, "get", "a1", 0.0)], [piece(T, "now", "a2", 1.0)]], [("get", B), ("now", T)], ["a1", "a2"]),
    "one id for two calls": ([[piece(B, "get", "call", 0)], [piece(T, "now", "call", 1)]], [("get", B), ("now", T)], ["call", "call-2"]),
    "one id and no index for two calls": ([[piece(B, "get", "call")], [piece(T, "now", "call")]], [("get", B), ("now", T)], None),
    "one id for two calls of one name": ([[piece(B, "get", "call")], [piece(T, "get", "call")]], [("get", B), ("get", T)], None),
    "no ids at all": ([[piece(B, "get", index=0)], [piece(T, "now", index=1)]], [("get", B), ("now", T)], ["call_1", "call_2"]),
    "id as a number": ([[piece(B, "get", 7, 0)]], [("get", B)], ["7"]),
    "name in two parts": ([[piece("", "get_", "a1", 0)], [piece("", "city", index=0)], [piece(B, index=0)]], [("get_city", B)], ["a1"]),
    "name growing": ([[piece("", "get", "a1", 0)], [piece("", "get_city", "a1", 0)], [piece(B, index=0)]], [("get_city", B)], ["a1"]),
    "name later": ([[piece("", id="a1", index=0)], [piece("", "get", index=0)], [piece(B, index=0)]], [("get", B)], ["a1"]),
    "arguments as an object": ([[piece({"city": "Beijing"}, "get", "a1", 0)]], [("get", B)], ["a1"]),
    "arguments as objects, one index": ([[piece({"city": "Beijing"}, "get", "a1", 0)], [piece({"city": "Tokyo"}, "get", "a2", 0)]], [("get", B), ("get", T)], ["a1", "a2"]),
    "arguments begin as an empty object": ([[piece({}, "get", "a1", 0)], *([piece(p, index=0)] for p in cut(B))], [("get", B)], ["a1"]),
    "arguments begin as {}": ([[piece("{}", "get", "a1", 0)], *([piece(p, index=0)] for p in cut(B))], [("get", B)], ["a1"]),
    "arguments grow": ([[piece(B[:size], "get", "a1", 0)] for size in (1, 9, len(B))], [("get", B)], ["a1"]),
    "arguments repeated whole at the end": ([*([piece(p, "get", "a1", 0)] for p in cut(B)), [piece(B, "get", "a1", 0)]], [("get", B)], ["a1"]),
    "arguments repeated without id": ([*([piece(p, "get", index=0)] for p in cut(B)), [piece(B, "get", index=0)]], [("get", B)], None),
    "no arguments": ([[piece("", "now", "a1", 0)]], [("now", "{}")], ["a1"]),
    "no arguments at all": ([[piece(None, "now", "a1", 0)], [piece(None, "now", "a2", 0)]], [("now", "{}"), ("now", "{}")], ["a1", "a2"]),
    "{} and then another call": ([[piece("{}", "now", "a1", 0)], [piece(B, "get", "a2", 0)]], [("now", "{}"), ("get", B)], ["a1", "a2"]),
    "white space around": ([[piece("\n" + B + "\n", "get", "a1", 0)], [piece("\n", index=0)]], [("get", B)], ["a1"]),
    "braces in a text": ([[piece('{"a": "}{', "get", "a1", 0)], [piece('}"}', index=0)]], [("get", '{"a": "}{}"}')], ["a1"]),
    "three calls, one index": ([[piece(a, "get", i, 0)] for a, i in ((B, "a"), (T, "b"), (B, "c"))], [("get", B), ("get", T), ("get", B)], ["a", "b", "c"]),
    "a piece that is null": ([[None], [piece(B, "get", "a1", 0)], [None]], [("get", B)], ["a1"]),
    "a call without a name beside one": ([[piece(B, id="a0", index=0)], [piece(T, "get", "a1", 1)]], [("get", T)], ["a1"]),
    "halves of a character": ([[piece('{"a":"\ud83d', "get", "a1", 0)], [piece('\ude00"}', index=0)]], [("get", '{"a":"😀"}')], ["a1"]),
}  # fmt: skip


def test_there_are_streams_enough():
    """The table is long: each row is a report, or the neighbour of one."""
    assert len(STREAMS) >= 30


@pytest.mark.parametrize("name", STREAMS)
def test_the_calls_of_a_stream(read, streams, provider, name):
    """Told apart by index, id, name and whole JSON; each with an id of its own."""
    chunks, calls, ids = STREAMS[name]
    said = b"".join(streams.chunk({"tool_calls": pieces}) for pieces in chunks)

    found = read(said, streams.chunk({}, "tool_calls"), streams.DONE, provider=provider)

    made = found.answer.tool_calls
    assert calls == [(call.name, call.arguments) for call in made]
    assert all(isinstance(json.loads(call.arguments), dict) for call in made)
    assert len({call.id for call in made if call.id}) == len(made)
    assert ids is None or ids == [call.id for call in made]


@pytest.mark.parametrize("tool_calls", [{}, [], None, "", False, [{}], [None], 5, "text", [3]])
def test_no_calls(read, streams, tool_calls):
    """A field without a call is none, and costs no answer."""
    found = read(streams.chunk({"content": "yes", "tool_calls": tool_calls}, "stop"), streams.DONE)

    assert ("yes", ()) == (found.text, found.answer.tool_calls)


def test_calls_of_a_whole_answer(read):
    """A message that is not streamed has its calls whole, and often without an index."""
    calls = [piece(B, "get", "a1"), piece(T, "get", "a2")]
    whole = {"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}

    made = read(json.dumps(whole).encode()).answer.tool_calls

    assert [B, T] == [call.arguments for call in made]


def test_a_single_call_instead_of_a_list(read, streams):
    """One record stands for a list of one."""
    found = read(streams.chunk({"tool_calls": piece(B, "get", "a1")}, "tool_calls"), streams.DONE)

    assert [B] == [call.arguments for call in found.answer.tool_calls]


def test_arguments_that_were_cut_stay_as_they_are(read, streams):
    """Where the output limit cut a call, its text is what the model wrote."""
    found = read(
        streams.chunk({"tool_calls": [piece('{"a": "b', "get", "a1", 0)]}, "length"), streams.DONE
    )

    assert ['{"a": "b'] == [call.arguments for call in found.answer.tool_calls]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    arguments=st.lists(
        st.dictionaries(st.text(max_size=4), values, min_size=1, max_size=3), min_size=1, max_size=4
    ),
    sizes=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    indexed=st.booleans(),
)
def test_any_arguments_in_any_pieces(read, streams, arguments, sizes, indexed):
    """Calls in a row with ids of their own come out as they were, with one index for all or without any."""
    texts = [json.dumps(each) for each in arguments]
    index = 0 if indexed else None
    said = b"".join(
        streams.chunk(
            {"tool_calls": [piece(part, *(("f", f"id{n}") if not at else ()), index=index)]}
        )
        for n, text in enumerate(texts)
        for at, part in enumerate(cut(text, sizes[n]))
    )

    made = read(said, streams.chunk({}, "tool_calls"), streams.DONE).answer.tool_calls

    assert texts == [call.arguments for call in made]
