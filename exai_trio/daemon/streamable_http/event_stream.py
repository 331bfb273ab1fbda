"""An answer over HTTP: as one JSON text if it is there soon, else as events while it comes."""

from collections.abc import Callable
from typing import Final

import trio
from starlette.types import Receive, Send

from exai_trio import structs

from .event_ids import Place, written
from .http_exchange import Exchange

Headers = list[tuple[bytes, bytes]]

SOON_S: Final = 1.0
_COMMENT_S: Final = 15.0  # so that nobody between takes silence for the end
_RETRY_MS: Final = 1_000
_EVENTS: Final[Headers] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_JSON: Final[Headers] = [(b"content-type", b"application/json")]


class Gone(Exception):
    """The client has closed its connection, or reads nothing any more."""


@structs.define(eq=False)
class Responder:
    """One response on one connection."""

    receive: Receive
    _send: Send
    headers: Headers
    has_gone: bool = False
    has_begun: bool = False

    async def whole(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        """Who has gone misses it. Cancelling waits until it is written."""
        own = [*(_JSON if body else []), (b"content-length", str(len(body)).encode())]
        head = [*own, *(headers or []), *self.headers]
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        await self._send({"type": "http.response.body", "body": body})

    async def cancel_when_gone(self, telling: trio.CancelScope) -> None:
        """Wait until the client has closed its connection, or was cut because it took nothing of what was written. Cancelling changes
        nothing."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.has_gone = True
        telling.cancel(reason="the client has gone")

    async def events(
        self, exchange: Exchange, after: int, event_id: Callable[[int], str], *, primed: bool
    ) -> None:
        """Every event after this number until the exchange is over. `primed`: an event without data comes first, so that its id is
        known. Raises Gone. Cancelling cuts the connection, and the exchange goes on."""
        me = exchange.reader = object()
        exchange.readers += 1
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(self.cancel_when_gone, legs.cancel_scope)
                await self._start()
                if primed:
                    await self._write(f"id: {event_id(after)}\ndata: \n\n".encode())
                await self._follow(exchange, after, event_id, me)
                if exchange.was_closed:
                    await self._write(f"retry: {_RETRY_MS}\n\n".encode())
                await self._end()
                legs.cancel_scope.cancel(reason="the answer is told")
        finally:
            exchange.readers -= 1
        if self.has_gone:
            raise Gone

    async def _follow(
        self, exchange: Exchange, after: int, event_id: Callable[[int], str], me: object
    ) -> None:
        while exchange.reader is me:
            for number, line in exchange.after(after):
                mark = event_id(number)
                head = f"id: {mark}\n" if mark else ""
                await self._write(f"{head}event: message\ndata: ".encode() + line.strip() + b"\n\n")
                after = number
            if exchange.is_over and exchange.last <= after:
                return
            with trio.move_on_after(_COMMENT_S) as quiet:
                await exchange.changed.wait()
            if quiet.cancelled_caught:
                await self._write(b": still here\n\n")

    async def _start(self) -> None:
        head = [*_EVENTS, *self.headers]
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": head})

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


def mark_of(exchange: Exchange) -> Callable[[int], str]:
    """The ids of its events; "" for what cannot be asked for again."""
    if not exchange.key or exchange.id is None:
        return lambda _number: ""
    key, id_, tool = exchange.key, exchange.id, exchange.tool
    return lambda number: written(Place(key, id_, tool, number, exchange.is_last(number)))
