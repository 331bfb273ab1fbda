"""A model service that answers at once, with as little work as possible: the same words to every chat, streamed or whole.

`peer_models.py` prints its port, and serves until its stdin ends.
"""

import functools
import json

import trio

_WORDS = 20
_MODEL = "glm-4.5-flash"
_USAGE = {"prompt_tokens": 20, "completion_tokens": _WORDS, "total_tokens": 20 + _WORDS}


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    said = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": _MODEL, "choices": [choice]}  # fmt: skip
    return b"data: " + json.dumps(said | ({"usage": _USAGE} if reason else {})).encode() + b"\n\n"


def _answer(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _whole() -> bytes:
    message = {"role": "assistant", "content": "word " * _WORDS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    said = {"id": "1", "object": "chat.completion", "created": 1, "model": _MODEL, "choices": [choice], "usage": _USAGE}  # fmt: skip
    return _answer("application/json", json.dumps(said).encode())


_STREAMED = _answer(
    "text/event-stream",
    b"".join(
        [
            *(_chunk({"role": "assistant", "content": "word "}) for _ in range(_WORDS)),
            _chunk({}, "stop"),
            b"data: [DONE]\n\n",
        ]
    ),
)
_WHOLE = _whole()
_LIST = _answer("application/json", b'{"object":"list","data":[]}')


async def _serve(stream: trio.SocketStream) -> None:
    async with stream:
        buffer = bytearray()
        async for data in stream:
            buffer += data
            while (request := _request(buffer)) is not None:
                await stream.send_all(_reply(*request))


def _request(buffer: bytearray) -> tuple[bytes, bytes] | None:
    """The head and body of a whole request, which is taken out."""
    head, end, _ = bytes(buffer).partition(b"\r\n\r\n")
    if not end:
        return None
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]  # fmt: skip
    begins, size = len(head) + len(end), int(lengths[0]) if lengths else 0
    if len(buffer) < begins + size:
        return None
    body = bytes(buffer[begins : begins + size])
    del buffer[: begins + size]
    return head, body


def _reply(head: bytes, body: bytes) -> bytes:
    if head.startswith(b"GET"):
        return _LIST
    return _STREAMED if json.loads(body).get("stream") else _WHOLE


async def _main() -> None:
    async with trio.open_nursery() as serving:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        print(listener.socket.getsockname()[1], flush=True)
        serving.start_soon(functools.partial(trio.serve_listeners, _serve, [listener]))
        async with trio.lowlevel.FdStream(0) as stdin:
            async for _ in stdin:
                pass
        serving.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_main)
