"""Frames that no client should send: valid ones with damage, garbage, and bytes that are no WebSocket. Seeded, no I/O."""

import base64
import json
import random
import struct
from typing import Any

_VALID: tuple[dict[str, Any], ...] = (
    {"op": "call_tool", "request_id": "r", "name": "test_echo", "arguments": {"prompt": "x"}},
    {"op": "tool_call", "request_id": "r", "tool": {"name": "version"}, "arguments": {}},
    {"op": "list_tools", "request_id": "l"},
    {"op": "cancel", "request_id": "r"},
    {"op": "ack", "seq": 1},
    {"op": "ping", "request_id": "p"},
    {"op": "health", "request_id": "h"},
    {"op": "rotate_token", "old": "a", "new": "b", "request_id": "t"},
    {"op": "hello", "protocol": 2, "token": None, "session_id": "fuzz", "last_seq": 0},
)
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 2**200, 1e308, "", "x" * 2000, "\u0000", "\ud800", [], {}, [[]], [None], {"a": {}},
    "call_tool", "../../etc", {"name": []}, 0.1,
)  # fmt: skip


def text_frame(chance: random.Random) -> str | bytes:
    """One message for an open connection; bytes go as a binary message."""
    kind = chance.randrange(10)
    if kind < 5:
        return json.dumps(_wrong_types(chance))
    text = json.dumps(chance.choice(_VALID))
    if kind < 7:
        return _damaged(text, chance)
    if kind == 7:
        return chance.choice(("", "null", "[]", '"x"', "{", "[" * 3000, "1" * 500, '{"op":' * 200))
    if kind == 8:
        return chance.randbytes(chance.randrange(64))
    return text


def _wrong_types(chance: random.Random) -> dict[str, Any]:
    frame = dict(chance.choice(_VALID))
    for _ in range(chance.randint(1, 3)):
        frame[chance.choice([*frame, "seq", "timeout_s", "stream", "roots"])] = chance.choice(_ODD)
    if chance.random() < 0.1:
        del frame[chance.choice(list(frame))]
    return frame


def _damaged(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    cut = at + chance.randrange(4)
    return text[:at] + chance.choice(("", "\x00", '"', "{", "\u2028", "é", text)) + text[cut:]


def raw_frame(chance: random.Random) -> bytes:
    """Bytes of the WebSocket level: wrong opcodes, lengths that lie, missing masks, half of a frame. Ends its connection."""
    opcode, final = chance.randrange(16), chance.choice((0, 0x80))
    payload = chance.randbytes(chance.randrange(126))
    length = chance.choice((len(payload), chance.randrange(126)))
    head = bytes([final | chance.choice((0, 0, 0x40)) | opcode])
    match chance.randrange(5):
        case 0:
            return head + bytes([length]) + payload  # no mask
        case 1:
            return head + bytes([0x80 | 127]) + struct.pack(">Q", chance.choice((2**31, 2**63, 1))) + payload  # fmt: skip
        case 2:
            return chance.randbytes(chance.randrange(1, 200))
        case 3:
            return head + bytes([0x80 | length]) + chance.randbytes(2)  # half of the mask
        case _:
            return head + bytes([0x80 | length]) + chance.randbytes(4) + payload


def upgrade(chance: random.Random) -> bytes:
    """A handshake, sometimes a broken one."""
    key = base64.b64encode(chance.randbytes(16)).decode()
    lines = ["GET / HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    text = "\r\n".join(lines).encode()
    return text if chance.random() < 0.7 else _broken(text, chance)


def _broken(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text))
    return text[:at] + chance.randbytes(chance.randrange(8)) + text[at + chance.randrange(8) :]
