"""HTTP/1.1 on one stream, both ways, for the gateway and what stands behind it: whole messages, no streaming."""

import attrs
import h11
import trio

_PIECE = 65536


@attrs.frozen(kw_only=True)
class Request:
    """As it came; header names are lower case."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name):
        return next((value.decode() for key, value in self.headers if key == name.encode()), "")


@attrs.frozen(kw_only=True)
class Response:
    """`cut` is after how many bytes of the body the connection breaks."""

    status: int
    headers: list[tuple[bytes, bytes]] = attrs.field(factory=list)
    body: bytes = b""
    cut: int | None = None


async def serve_stream(stream, answer):
    """Answer each request with what `await answer(request)` returns, or break the connection if that is None."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        while connection.our_state is not h11.MUST_CLOSE:
            if connection.our_state is h11.DONE:
                connection.start_next_cycle()
            head, body = await _message(connection, stream, h11.Request)
            if head is None:
                return
            request = Request(
                method=head.method.decode(),
                target=head.target.decode(),
                headers=list(head.headers),
                body=body,
            )
            response = await answer(request)
            if response is None or not await _say(connection, stream, request, response):
                return
    except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
        return
    finally:
        await trio.aclose_forcefully(stream)


async def _message(connection, stream, kind):
    head, body = None, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                await stream.send_all(
                    connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                )
            connection.receive_data(await stream.receive_some(_PIECE))
        elif isinstance(event, kind):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return head, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            return None, b""


async def _say(connection, stream, request, response):
    """Whether the whole answer went out."""
    length = (
        [] if response.status in {204, 304} else [(b"content-length", b"%d" % len(response.body))]
    )
    kept = [
        each
        for each in response.headers
        if each[0] not in {b"content-length", b"transfer-encoding"}
    ]
    head = h11.Response(status_code=response.status, headers=[*kept, *length])
    body = b"" if request.method == "HEAD" else response.body
    data = connection.send(head) + connection.send(h11.Data(data=body[: response.cut]))
    await stream.send_all(data)
    if response.cut is not None and response.cut < len(body):
        return False
    await stream.send_all(connection.send(h11.EndOfMessage()))
    return True


async def ask(stream, request):
    """What the server on this stream answers; the connection is not used again."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    head = h11.Request(method=request.method, target=request.target, headers=request.headers)
    data = connection.send(head) + connection.send(h11.Data(data=request.body))
    await stream.send_all(data + connection.send(h11.EndOfMessage()))
    said, body = await _message(connection, stream, h11.Response)
    return Response(status=said.status_code, headers=list(said.headers), body=body)
