"""One client's large frame costs the others nothing: what is large is refused before anything is looked up or read."""

import difflib
import json

import pytest
import trio

from exai_trio.daemon.connections import frames
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.beginning import MOST_VALUES, values_of
from exai_trio.wire.messages import CallFailed

N = 2_000_000  # characters, where the kind of a frame matters and not its size
X = "x" * N
CALL = '{"op":"call_tool","request_id":"r","name":"nap","arguments":'


def call(name="nap", arguments=None, request_id="r", **more):
    said = {"op": "call_tool", "request_id": request_id, "name": name, "arguments": arguments or {}}
    return json.dumps(said | more, separators=(",", ":"))


# What it is, what makes the frame, the code of the answer, and whether it carries the id.
FRAMES = [
    ("a tool's name", lambda: call(name=X), "TOOL_NOT_FOUND", True),
    ("a tool's name of 257", lambda: call(name="x" * 257), "TOOL_NOT_FOUND", True),
    ("an argument's name", lambda: call(arguments={X: 1}), "VALIDATION_ERROR", True),
    ("an argument's name of 257", lambda: call(arguments={"x" * 257: 1}), "VALIDATION_ERROR", True),
    ("very many names", lambda: call(arguments={f"k{n}": 1 for n in range(60_000)}), "INVALID_REQUEST", True),
    ("many names", lambda: call(arguments={f"k{n}": 1 for n in range(15_000)}), "VALIDATION_ERROR", True),
    ("very many empty lists", lambda: CALL + '{"chunks":[' + "[]," * 60_000 + "[]]}}", "INVALID_REQUEST", True),
    ("very many numbers", lambda: CALL + '{"chunks":[' + "1," * 60_000 + "1]}}", "INVALID_REQUEST", True),
    ("very many objects", lambda: CALL + '{"chunks":[' + '{"a":1},' * 60_000 + "1]}}", "INVALID_REQUEST", True),
    ("lists in lists", lambda: CALL + "[" * N, "INVALID_REQUEST", True),
    ("lists in lists, few", lambda: CALL + "[" * 15_000, "INVALID_REQUEST", True),
    ("a model's name", lambda: call("chat", {"prompt": "x", "model": X}), "VALIDATION_ERROR", True),
    ("a conversation's id", lambda: call("chat", {"prompt": "x", "continuation_id": X}), "VALIDATION_ERROR", True),
    ("half a character", lambda: CALL + '{"fault":"\\ud800' + X + '"}}', "INVALID_REQUEST", True),
    ("a frame that is cut off", lambda: CALL + '{"fault":"' + X, "INVALID_REQUEST", True),
    ("no JSON", lambda: X, "INVALID_REQUEST", False),
    ("a request id", lambda: call(request_id=X), "INVALID_REQUEST", False),
    ("an op", lambda: json.dumps({"op": X, "request_id": "r"}), "INVALID_REQUEST", True),
    ("roots", lambda: call(roots=["/a"] * 15_000), "INVALID_REQUEST", True),
    ("a root", lambda: call(roots=["/" + X]), "INVALID_REQUEST", True),
    ("a trace", lambda: call(trace=X), "INVALID_REQUEST", True),
    ("an integer as id", lambda: '{"op":"call_tool","name":"nap","request_id":' + "7" * N + "}", "INVALID_REQUEST", False),
    ("a deep id", lambda: '{"op":"call_tool","name":"nap","request_id":' + "[" * N, "INVALID_REQUEST", False),
    ("over TOOL_CALL_MAX_SIZE", lambda: call(arguments={"fault": X * 6}), "OVER_CAPACITY", True),
    ("over it, the id last", lambda: json.dumps({"op": "call_tool", "arguments": {"fault": X * 6}, "name": "nap", "request_id": "r"}), "OVER_CAPACITY", True),
    ("over it, the id inside", lambda: json.dumps({"op": "call_tool", "x": X * 3, "name": "nap", "request_id": "r", "arguments": {"fault": X * 3}}), "OVER_CAPACITY", False),
    ("over it, a list of numbers", lambda: CALL + '{"chunks":[' + "1," * 6_000_000 + "1]}}", "OVER_CAPACITY", True),
]  # fmt: skip


@pytest.mark.parametrize("row", FRAMES, ids=[row[0] for row in FRAMES])
async def test_what_is_large_is_refused_in_few_words(house, autojump_clock, monkeypatch, row):
    """Each refusal is short, carries the id or says that there is none, and looked for no name that is like a long one; the
    connection lives."""
    (_, frame_of, code, has_id), compared = row, []
    real = difflib.SequenceMatcher.set_seq2
    monkeypatch.setattr(difflib.SequenceMatcher, "set_seq2", lambda one, text: (compared.append(text), real(one, text)))  # fmt: skip
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say(frame_of())
        refused = await client.socket.receive()
        await client.say('{"op":"ping","request_id":1}')
        pong = await client.socket.receive()

    said = json.loads(refused)
    assert code == said["error"]["code"]
    assert ("r" if has_id else None) == said.get("request_id")
    assert has_id or "no request_id was found" in said["error"]["message"]
    assert 4096 > len(refused)
    assert [] == [text for text in compared if len(text) > 256]
    assert {"op": "pong", "request_id": 1} == json.loads(pong)


async def test_others_have_their_turn_while_a_large_frame_is_looked_through(autojump_clock):
    """After each piece of 64 KiB, and the look ends as soon as it is known to be too much."""
    text = '{"a":"' + ',"'.replace('"', '\\"') * 1_000_000 + '"}'
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        found = await frames.objection(text, len(text), 10**9)
        nursery.cancel_scope.cancel()
    many = "[" * 10_000_000

    assert found is None
    assert turns >= 40  # of 46 pieces
    assert (await frames.objection(many, len(many), 10**9)).error.code == "INVALID_REQUEST"
    assert 65_536 == next(values_of(many))


async def test_nothing_too_intricate_is_read(house, autojump_clock, monkeypatch):
    """The parser sees no frame with more values than are taken."""
    read = []
    monkeypatch.setattr("exai_trio.daemon.connections.frames.decode_client", read.append)  # fmt: skip
    async with house() as daemon, daemon.connect() as (client, _):
        for mark in (",", "[", "{"):
            await client.say('{"op":"call_tool","request_id":"r","x":' + mark * (MOST_VALUES + 9))
            assert isinstance(await client.hear(), CallFailed)

    assert [] == read


@pytest.mark.parametrize("size", [65_537, 70_000, 1_000_000, 20_000_000])
@pytest.mark.parametrize("field", ["jwt", "token", "client_name", "unknown"])
async def test_the_first_frame_has_64_kib_at_most(house, autojump_clock, size, field):
    """More ends the connection with 1009 before it is read."""
    async with house(ws_token="16 letters of ours") as daemon, daemon.connect_raw() as client:
        frame = json.dumps({"op": "hello", field: ""})
        await client.say(frame[:-2] + "x" * (size - len(frame)) + frame[-2:])
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert 1009 == gone.value.code


async def test_the_first_frame_is_measured_in_bytes(house, autojump_clock):
    """Not in characters."""
    async with house() as daemon, daemon.connect_raw() as client:
        await client.say('{"op":"hello","client_name":"' + "試" * 30_000 + '"}')
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert 1009 == gone.value.code


async def test_a_large_frame_right_behind_the_hello_is_taken(house, autojump_clock):
    """The limit is the first frame's alone, also where the next one is there before the first has been read."""
    hello = json.dumps({"op": "hello", "client_name": "x" * 65_000})
    async with house() as daemon, daemon.connect_raw() as client:
        await client.say(hello, call(name="no such tool", arguments={"a": "x" * 3_000_000}))
        await client.hear()
        refused = await client.hear()

    assert "TOOL_NOT_FOUND" == refused.error.code


@pytest.mark.parametrize("field", ["token", "jwt"])
async def test_a_token_over_8_kib_is_not_looked_at(house, autojump_clock, monkeypatch, field):
    """It is refused as a wrong one is."""
    monkeypatch.setattr("exai_trio.daemon.connections.auth.Tokens.identify", None)
    async with house(ws_token="16 letters of ours") as daemon, daemon.connect_raw() as client:
        await client.say(json.dumps({"op": "hello", field: "x" * 8193}))
        heard = await client.hear()
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert ("unauthorized", 4003) == (heard.error, gone.value.code)


async def test_names_of_256_characters_are_looked_up(house, autojump_clock):
    """The limit costs no honest name."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say(call(name="x" * 256), call(arguments={"secondz": 1}))
        tool, argument = await client.hear(), await client.hear()

    assert "Did you mean" in tool.error.message
    assert "did you mean 'seconds'" in argument.error.message
