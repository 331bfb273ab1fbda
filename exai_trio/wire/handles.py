"""The handle of a call that takes long: how it is named, so that its outcome can be fetched later. Pure: no I/O.

The name follows from the session and the request id, so that both ends of a connection know it without asking.
"""

import hashlib
import re
from typing import Final

import msgspec

from .messages import RequestId

_HANDLE: Final = re.compile(r"call_[0-9a-f]{24}")
RUNNING: Final = "running"


def handle_of(session: str, request_id: RequestId) -> str:
    """The call_id of a call; no two calls of one daemon share it."""
    name = msgspec.json.encode((session, request_id))
    return f"call_{hashlib.sha256(name).hexdigest()[:24]}"


def is_handle(text: str) -> bool:
    return _HANDLE.fullmatch(text) is not None


def handle_text(call_id: str, tool: str, elapsed_s: float, doing: str) -> str:
    """The answer in place of an outcome. It has `status` and `content`, as every tool's answer does."""
    note = (
        f"{tool} still runs, and its work goes on. Call the tool `result` with call_id {call_id}"
        " (and wait_s, the seconds to wait) for the outcome; do not send the call again."
    )
    facts = {
        "status": RUNNING,
        "call_id": call_id,
        "content": note,
        "tool": tool,
        "elapsed_s": round(elapsed_s, 1),
        "progress": doing,
        "next_call": {"tool": "result", "arguments": {"call_id": call_id}},
    }
    return msgspec.json.encode(facts).decode()
