"""Frames: what they decode to, and that nothing else than a message or a WireError comes of any bytes."""

import json

import attrs
import msgspec
import pytest
from hypothesis import given, strategies as st

from exai_trio.wire.codec import (
    CLIENT_MESSAGES,
    WireError,
    decode_client,
    decode_daemon,
    encode,
    numbered,
)
from exai_trio.wire.messages import (
    Ack,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Fault,
    Hello,
    ListTools,
    Output,
    Ping,
    Pong,
    RotateToken,
)

FAULT = Fault(
    code="TIMEOUT", message="late", category="timeout", retryable=True, correlation_id="c1"
)
CLIENT = [
    Hello(token="t", session_id="abc", protocol=2, last_seq=7, roots=["/a"]),
    ListTools(request_id="1"),
    CallTool(request_id=5, name="chat", arguments={"prompt": "x"}, timeout_s=3.0, stream=True),
    Cancel(request_id="1"),
    Ack(seq=3),
    Ping(),
    RotateToken(old="a", new="b"),
]
DAEMON = [
    CallAccepted(request_id="1", name="chat", timeout=60.0),
    CallResult(request_id="1", outputs=[Output(text="hi", metadata={"a": 1})], usage={"x": 2}),
    CallFailed(request_id="1", error=FAULT),
    CallFailed(error=FAULT),
    Pong(request_id=4),
]


@pytest.mark.parametrize("message", CLIENT, ids=lambda m: type(m).__name__)
def test_a_clients_message_survives_the_wire(message):
    """Encoding and decoding gives the same message."""
    assert message == decode_client(encode(message))


@pytest.mark.parametrize("message", DAEMON, ids=lambda m: type(m).__name__)
def test_a_daemons_message_survives_the_wire_with_its_number(message):
    """The sequence number travels beside the message."""
    assert (message, 12) == attrs.astuple(decode_daemon(encode(message, 12)), recurse=False)


def test_numbering_a_frame_later_is_the_same_as_at_once():
    """A stored frame can be given its number when it is sent."""
    message = CallAccepted(request_id="1", name="chat", timeout=60.0)

    assert encode(message, 3) == numbered(encode(message), 3)


def test_the_older_name_of_a_call_is_read():
    """op "tool_call" with `tool: {name}` is a call_tool."""
    frame = '{"op":"tool_call","request_id":"1","tool":{"name":"chat","arguments":{"prompt":"x"}}}'

    assert CallTool(request_id="1", name="chat", arguments={"prompt": "x"}) == decode_client(frame)


def test_missing_or_null_arguments_are_none_at_all():
    """A call without arguments has an empty object of them."""
    for frame in (
        '{"op":"call_tool","request_id":"1","name":"version"}',
        '{"op":"call_tool","request_id":"1","name":"version","arguments":null}',
    ):
        assert {} == decode_client(frame).arguments


REFUSED = {
    "nothing": ("", None, None),
    "not JSON": ("{", None, None),
    "an array": ("[]", None, None),
    "a number": ("1", None, None),
    "no op": ('{"request_id":"r"}', None, "r"),
    "op of a wrong type": ('{"op":[],"request_id":"r"}', None, "r"),
    "unknown op": ('{"op":"dance","request_id":"r"}', "dance", "r"),
    "call without name": ('{"op":"call_tool","request_id":"r"}', "call_tool", "r"),
    "call with empty name": ('{"op":"call_tool","request_id":"r","name":""}', "call_tool", "r"),
    "call without id": ('{"op":"call_tool","name":"chat"}', "call_tool", None),
    "boolean id": ('{"op":"call_tool","name":"chat","request_id":true}', "call_tool", None),
    "arguments as a list": (
        '{"op":"call_tool","request_id":"r","name":"chat","arguments":[]}',
        "call_tool",
        "r",
    ),
    "negative timeout": (
        '{"op":"call_tool","request_id":"r","name":"chat","timeout_s":-1}',
        "call_tool",
        "r",
    ),
    "lone surrogate in a value": (
        '{"op":"call_tool","request_id":"r","name":"chat","arguments":{"p":"\\ud800"}}',
        "call_tool",
        "r",
    ),
    "lone surrogate as id": ('{"op":"ping","request_id":"\\ud800"}', "ping", None),
    "deep nesting": ('{"op":' + "[" * 5000, None, None),
    "deeply nested arguments": (
        '{"op":"call_tool","request_id":"a\\"r","name":"chat","arguments":'
        + "[" * 5000
        + "]" * 5000
        + "}",
        "call_tool",
        'a"r',
    ),
    "an id that is no whole number, before deep nesting": (
        '{"request_id":1.5,"op":"ping","x":' + "[" * 5000 + "]" * 5000 + "}",
        "ping",
        None,
    ),
    "a very long id before deep nesting": (
        '{"op":"ping","request_id":"' + "x" * 9000 + '","x":' + "[" * 5000 + "]" * 5000 + "}",
        "ping",
        None,
    ),
    "an id behind deep nesting": (
        ('{"op":"ping","x":' + "[" * 5000 + "]" * 5000 + ',"request_id":3}').encode(),
        "ping",
        3,
    ),
    "an id that is no text, before deep nesting": (
        '{"request_id":"\\q","op":"ping","x":' + "[" * 5000 + "]" * 5000 + "}",
        "ping",
        None,
    ),
    "an integer of 5,000 digits as id": (
        '{"op":"call_tool","name":"chat","request_id":' + "7" * 5000 + "}",
        "call_tool",
        None,
    ),
    "an integer of 5,000 digits beside an id": (
        '{"op":"call_tool","request_id":7,"name":"chat","timeout_s":' + "7" * 5000 + "}",
        "call_tool",
        7,
    ),
    "a deeply nested id": (
        '{"op":"call_tool","request_id":' + "[" * 5000 + "]" * 5000 + ',"name":"chat"}',
        "call_tool",
        None,
    ),
    "a long frame that is cut off": (
        '{"op":"call_tool","name":"chat","request_id":"r","arguments":{"p":"' + "x" * 2**20,
        "call_tool",
        "r",
    ),
    "a long frame with half a character": (
        '{"op":"call_tool","request_id":"r","name":"chat","arguments":{"p":"\\ud800'
        + "x" * 2**20
        + '"}}',
        "call_tool",
        "r",
    ),
    "an id longer than what may be said again": (
        '{"op":"ping","request_id":"' + "x" * 9000 + '"}',
        "ping",
        None,
    ),
    "no UTF-8": (b"\xff\xfe", None, None),
}


@pytest.mark.parametrize(("frame", "op", "request_id"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_message_is_one_wire_error_that_knows_whom_to_answer(frame, op, request_id):
    """The error keeps the op and the request id wherever they can be read."""
    with pytest.raises(WireError) as refused:
        decode_client(frame)

    assert (op, request_id) == (refused.value.op, refused.value.request_id)
    assert str(refused.value)


@given(st.binary(max_size=400) | st.text(max_size=400))
def test_any_bytes_give_a_message_or_a_wire_error(frame):
    """Nothing else is ever raised, in either direction."""
    for decode in (decode_client, decode_daemon):
        try:
            decode(frame)
        except WireError:
            pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = sorted(
    {field.name for kind in CLIENT_MESSAGES.values() for field in attrs.fields(kind)} | {"tool"}
)


@given(st.sampled_from(sorted(CLIENT_MESSAGES)), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_fields_of_any_op_give_a_message_or_a_wire_error(op, fields):
    """Types that do not fit are refused in the codec, also lone surrogates and huge numbers."""
    try:
        message = decode_client(json.dumps({"op": op, **fields}))
    except WireError:
        return

    assert isinstance(message, CLIENT_MESSAGES[op])


def test_a_message_with_a_lone_surrogate_cannot_be_sent():
    """Text that is no Unicode is refused before it reaches the socket."""
    with pytest.raises(WireError):
        encode(CallTool(request_id="1", name="chat", arguments={"prompt": "\ud800"}))


def test_a_token_never_shows_in_the_repr_of_its_message():
    """rotate_token hides both tokens."""
    assert "secret" not in repr(RotateToken(old="secret1", new="secret2"))


def test_unset_fields_do_not_travel():
    """A frame holds only what was set."""
    assert {"op": "pong"} == msgspec.json.decode(encode(Pong()))
