"""HTTP to one OpenAI-compatible endpoint, and the only importer of openai: bytes out, bytes in, every limit kept.

openai signs and sends; bodies are encoded and read by us, since its own models cost more time than the network does.
It is imported when first needed, in a worker thread. Nothing here retries, and foreign errors end here as ours.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

import attrs
import trio

from exai_trio import __version__
from exai_trio.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderNetworkError,
    ProviderTimeoutError,
)

from .endpoint import Endpoint, Limits
from .faults import bad_answer, complaint_in, fault, retry_after, verdict_by_status

if TYPE_CHECKING:
    import httpx2
    import openai

LEAVE_S: Final = 0.1  # for the rest of a complete answer, so that its connection can be used again
KEEP_ALIVE_S: Final = 30.0
LARGEST_BODY: Final = 128 * 1024 * 1024  # bytes of one answer that is read whole: a file of 100 MB in JSON
Limit = Literal["connect", "first_byte", "idle", "stream"]
_WHAT_WAS_LATE: Final[Mapping[Limit, str]] = {
    "connect": "no connection within {:g} s",
    "first_byte": "no answer began within {:g} s",
    "idle": "the answer paused for more than {:g} s",
    "stream": "the answer was not complete after {:g} s",
}


@attrs.define(kw_only=True)
class Body:
    """The body of one answer as it comes in. Set `complete` when the rest of it does not matter."""

    endpoint: Endpoint
    until: float  # on trio's clock: when all of it must be here
    complete: bool = attrs.field(default=False, init=False)
    _pieces: AsyncIterator[bytes]

    async def next_piece(self) -> bytes | None:
        """The next bytes, None at the end. Raises: ProviderTimeoutError, ProviderNetworkError, BadAnswerError."""
        idle_until = trio.current_time() + self.endpoint.limits.idle_s
        with trio.move_on_at(min(idle_until, self.until)), _foreign_errors(self.endpoint):
            return await anext(self._pieces, None)
        raise late(self.endpoint, "idle" if idle_until <= self.until else "stream")

    async def read_all(self) -> bytes:
        gathered = bytearray()
        while (piece := await self.next_piece()) is not None:
            gathered += piece
            if len(gathered) > LARGEST_BODY:
                raise bad_answer(self.endpoint.dialect.title, "the answer does not end", "too_large")
        return bytes(gathered)

    async def aclose(self) -> None:
        """Reads a complete answer to its end if that is near; anything else is cut off, and the socket closed.

        Going on reading in a cancelled scope is what unwinds the generators of three libraries in the right order.
        """
        import httpx2  # noqa: PLC0415  # see the module's first lines

        with trio.CancelScope() as leaving, suppress(httpx2.HTTPError, httpx2.StreamError):
            if self.complete:
                leaving.deadline = trio.current_time() + LEAVE_S
            else:
                leaving.cancel(reason="the rest of the answer is not wanted")
            async for _ in self._pieces:
                pass


@attrs.define(kw_only=True)
class Service:
    """One endpoint with its connections, which `aclose` ends. Cancelling a request closes its socket at once."""

    endpoint: Endpoint
    _client: "openai.AsyncOpenAI | None" = attrs.field(default=None, init=False)
    _building: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def wait_ready(self) -> "openai.AsyncOpenAI":
        """Imports openai and builds the client, unless that is done."""
        async with self._building:
            if self._client is None:
                self._client = await trio.to_thread.run_sync(_build_client, self.endpoint, abandon_on_cancel=True)
            return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def open(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        first_byte_s: float | None = None,
    ) -> AsyncIterator[Body]:
        """Send a request and hand out the body of its 2xx answer. Leaving, by any way, ends the request.

        Raises: ProviderError for everything else that can happen.
        """
        client = self._client or await self.wait_ready()
        until = trio.current_time() + self.endpoint.limits.stream_s
        patience_s = first_byte_s or self.endpoint.limits.first_byte_s
        response = await self._send(client, method, path, content, headers or {}, patience_s)
        body = Body(endpoint=self.endpoint, until=until, pieces=response.aiter_bytes())
        try:
            yield body
        finally:
            await body.aclose()

    async def _send(
        self,
        client: "openai.AsyncOpenAI",
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        content: bytes | AsyncIterator[bytes] | None,
        headers: Mapping[str, str],
        patience_s: float,
    ) -> "httpx2.Response":
        import httpx2  # noqa: PLC0415  # see the module's first lines
        import openai  # noqa: PLC0415

        request = openai.AsyncOpenAI.request
        options = openai_options(method, path, content, headers)
        with trio.move_on_after(patience_s), _foreign_errors(self.endpoint):
            return await client.post(path, cast_to=httpx2.Response, content=content, stream=True)
        raise late(self.endpoint, "first_byte")
