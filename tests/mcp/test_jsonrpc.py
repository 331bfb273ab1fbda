"""Lines of bytes to messages: whatever comes in."""

import json

import pytest
from hypothesis import given, strategies as st
from mcp_types.jsonrpc import jsonrpc_message_adapter

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.jsonrpc import (
    Fault,
    LineSplitter,
    Notification,
    Request,
    Response,
    TooLong,
    parse,
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
NEARLY_RPC = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]),
        "id": ANY_JSON,
        "method": st.sampled_from(["tools/call", "tools/list", "initialize", "ping", 3]) | ANY_JSON,
        "params": ANY_JSON,
        "result": ANY_JSON,
        "error": ANY_JSON,
    },
)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_the_splitter_gives_the_same_lines_however_the_bytes_are_cut(pieces, limit):
    """Lines do not depend on where the chunks end; of a line over the limit its ends are left."""
    splitter = LineSplitter(limit=limit)
    lines = [line for piece in pieces for line in splitter.feed(piece)] + [splitter.end()]

    whole = b"".join(pieces).split(b"\n")
    assert len(whole) == len(lines)
    for line, found in zip(whole, lines, strict=True):
        assert found == line if len(line) <= limit else found.ends.endswith(line[-1024:])


@given(st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_a_fault(line):
    """No bytes raise; what is no message is a fault that can be written."""
    message = parse(line)

    if isinstance(message, Fault):
        jsonrpc_message_adapter.validate_json(
            jsonrpc.error(message.id, message.code, message.message)
        )


@given(NEARLY_RPC)
def test_what_looks_like_json_rpc_is_read_or_refused(value):
    """Every object is a request, a notification, an answer, or a fault with a JSON-RPC code."""
    message = parse(json.dumps(value).encode())

    assert isinstance(message, Request | Notification | Response | Fault)
    if isinstance(message, Fault):
        assert message.code in {jsonrpc.PARSE_ERROR, jsonrpc.INVALID_REQUEST}


@pytest.mark.parametrize(
    ("line", "code", "id_"),
    [
        (b"{", jsonrpc.PARSE_ERROR, None),
        (b"\xff\xfe\x00", jsonrpc.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"x\xff"}', jsonrpc.PARSE_ERROR, 1),
        (b'{"method":"x","params":{"a":"\xff"},"jsonrpc":"2.0","id":1}', jsonrpc.PARSE_ERROR, 1),
        (b'{"jsonrpc":"2.0","method":"x","params":{"id":1,"a":"\xff"}}', jsonrpc.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":' + b"7" * 5_000 + b',"method":"x"}', jsonrpc.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":' + b"[" * 100_000, jsonrpc.PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":"a","method":"x","params":' + b"[" * 100_000, jsonrpc.PARSE_ERROR, "a"),
        (b"[" * 100_000, jsonrpc.PARSE_ERROR, None),
        (b"9" * 5_000, jsonrpc.PARSE_ERROR, None),
        (b'{"id":NaN}', jsonrpc.PARSE_ERROR, None),
        (TooLong(b'{"jsonrpc":"2.0","id":5,"method":"x","params":{"a":"xxx'), jsonrpc.PARSE_ERROR, 5),
        (TooLong(b'{"jsonrpc":"2.0","method":"x","params":{"a":"xxx'), jsonrpc.PARSE_ERROR, None),
        (b"3", jsonrpc.INVALID_REQUEST, None),
        (b"[]", jsonrpc.INVALID_REQUEST, None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', jsonrpc.INVALID_REQUEST, None),
        (b'{"id":1,"method":"ping"}', jsonrpc.INVALID_REQUEST, 1),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', jsonrpc.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', jsonrpc.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', jsonrpc.INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":"a","method":7}', jsonrpc.INVALID_REQUEST, "a"),
        (b'{"jsonrpc":"2.0","id":4}', jsonrpc.INVALID_REQUEST, 4),
    ],
)  # fmt: skip
def test_what_is_no_request_has_its_code(line, code, id_):
    """Bad JSON is -32700, JSON that is no request -32600, with the id where one can be read."""
    message = parse(line)

    assert isinstance(message, Fault)
    assert (message.code, message.id) == (code, id_)
    assert message.id is not None or code != jsonrpc.PARSE_ERROR or "has no id" in message.message


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        (b'{"jsonrpc":"2.0","id":"first","method":"tools/call","params":{"a":"%s"}}', "first"),
        (b'{"method":"tools/call","params":{"a":"%s"},"jsonrpc":"2.0","id":7}', 7),
        (b'{"method":"tools/call","params":{"a":"%s","id":7}}', None),
        (b'{"method":"tools/call","params":{"a":"%s,\\"id\\":7}"}}', None),
    ],
)
def test_a_line_over_the_limit_is_answered_under_its_id(line, id_):
    """Where the id stands first or last in it; else the answer says that there is none."""
    splitter = LineSplitter(limit=100_000)
    long = line.replace(b"%s", b"x" * 300_000) + b"\n"
    (found,) = [
        one for at in range(0, len(long), 999) for one in splitter.feed(long[at : at + 999])
    ]
    fault = parse(found)

    assert (jsonrpc.PARSE_ERROR, id_) == (fault.code, fault.id)
    assert ("has no id" in fault.message) == (id_ is None)
    assert fault.message.startswith("the line is longer than")


@pytest.mark.parametrize("line", [b"", b"\r", b"   ", b"\t\r"])
def test_blank_lines_are_nothing(line):
    """Blank lines are neither messages nor faults."""
    assert parse(line) is None


def test_carriage_returns_and_a_byte_order_mark_are_taken():
    """Windows line ends and a leading mark do no harm."""
    message = parse(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}\r')

    assert isinstance(message, Request)


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    """A spelt-out lone surrogate is repaired, a whole pair is kept."""
    message = parse(
        b'{"jsonrpc":"2.0","id":"\\udc00","method":"m","params":{"a":"x\\ud800y","b":"\\ud83d\\ude00"}}'
    )

    assert isinstance(message, Request)
    assert message.id == "\ufffd"
    assert json.loads(bytes(message.params)) == {"a": "x\ufffdy", "b": "\U0001f600"}


def test_a_lone_surrogate_in_our_own_text_is_repaired():
    """Nothing that we say can fail to be written."""
    line = jsonrpc.answer(1, {"text": "\ud800", "raw": jsonrpc.msgspec.Raw(b'{"a":1}')})

    assert json.loads(line)["result"] == {"text": "\ufffd", "raw": {"a": 1}}


def test_a_line_of_many_megabytes_is_one_message():
    """A line up to the limit is taken whole, in chunks as a pipe gives them."""
    line = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"' + b"x" * 5_000_000 + b'"}}\n'
    splitter = LineSplitter()
    lines = [
        found
        for start in range(0, len(line), 65_536)
        for found in splitter.feed(line[start : start + 65_536])
    ]

    assert [type(parse(found)) for found in lines] == [Request]
