"""HTTP to one OpenAI-compatible endpoint, and the only importer of openai: bytes out, bytes in, every limit kept.

openai signs and sends; bodies are encoded and read by us, since its own models cost more time than the network does.
It is imported when first needed, in a worker thread. Nothing here retries, and foreign errors end here as ours.
"""

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, cast

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
IDLE_SLACK: Final = 0.01  # of the idle limit
KEEP_ALIVE_S: Final = 30.0
LARGEST_BODY: Final = (
    128 * 1024 * 1024
)  # bytes of one answer that is read whole: a file of 100 MB in JSON
Limit = Literal["connect", "first_byte", "idle", "stream"]
_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e]*")
Method = Literal["GET", "POST", "DELETE"]
Content = bytes | AsyncIterator[bytes] | None
_WHAT_WAS_LATE: Final[Mapping[Limit, str]] = {
    "connect": "no connection within {:g} s",
    "first_byte": "no answer began within {:g} s",
    "idle": "the answer paused for more than {:g} s",
    "stream": "the answer was not complete after {:g} s",
}


@attrs.define(kw_only=True)
class Patience:
    """The limit that is running now, as the deadline of one scope around the whole exchange. Times are trio's."""

    limits: Limits
    scope: trio.CancelScope
    stream_until: float
    limit: Limit = attrs.field(default="first_byte", init=False)
    _move_at: float = attrs.field(default=-math.inf, init=False)

    def wait_for_first_byte(self, now: float, first_byte_s: float) -> None:
        self.scope.deadline = min(now + first_byte_s, self.stream_until)

    def heard(self) -> None:
        """Bytes came: the idle limit starts anew. The deadline is moved only once it has aged a little, so it is that lax."""
        now = trio.current_time()
        if now >= self._move_at:
            age_s = self.limits.idle_s * IDLE_SLACK
            self._move_at = now + age_s
            idle_until = now + self.limits.idle_s + age_s
            self.limit = "idle" if idle_until <= self.stream_until else "stream"
            self.scope.deadline = min(idle_until, self.stream_until)


@attrs.define(kw_only=True)
class Body:
    """The body of one answer as it comes in. Set `complete` when the rest of it does not matter."""

    endpoint: Endpoint
    headers: Mapping[str, str]
    complete: bool = attrs.field(default=False, init=False)
    _patience: Patience = attrs.field(alias="patience")
    _pieces: AsyncIterator[bytes] = attrs.field(alias="pieces")

    async def next_piece(self) -> bytes | None:
        """The next bytes, None at the end. Raises: ProviderNetworkError, BadAnswerError."""
        self._patience.heard()
        with _foreign_errors(self.endpoint):
            return await anext(self._pieces, None)

    async def read_all(self) -> bytes:
        gathered = bytearray()
        while (piece := await self.next_piece()) is not None:
            gathered += piece
            if len(gathered) > LARGEST_BODY:
                raise bad_answer(
                    self.endpoint.dialect.title, "the answer does not end", "too_large"
                )
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
        """Imports openai and builds the client, unless that is done. Raises: ProviderAuthError for an impossible key."""
        if not _HEADER_TEXT.fullmatch(self.endpoint.key):
            raise ProviderAuthError(
                f"{self.endpoint.dialect.title}: the key holds characters that no key has"
            )
        async with self._building:
            if self._client is None:
                self._client = await trio.to_thread.run_sync(
                    _build_client, self.endpoint, abandon_on_cancel=True
                )
            return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def open(
        self,
        method: Method,
        path: str,
        *,
        content: Content = None,
        headers: Mapping[str, str] | None = None,
        first_byte_s: float | None = None,
    ) -> AsyncGenerator[Body]:
        """Send a request and hand out the body of its 2xx answer. Leaving, by any way, ends the request.

        The block should do nothing slow but read: its time counts. Raises: ProviderError for everything that can
        happen; a limit that passes cancels the block, and leaving it raises ProviderTimeoutError.
        """
        client = self._client or await self.wait_ready()
        limits, now = self.endpoint.limits, trio.current_time()
        exchange = trio.CancelScope()
        patience = Patience(limits=limits, scope=exchange, stream_until=now + limits.stream_s)
        with exchange:
            patience.wait_for_first_byte(now, first_byte_s or limits.first_byte_s)
            with _foreign_errors(self.endpoint):
                response = await _send(client, method, path, content, headers or {})
            body = Body(
                endpoint=self.endpoint,
                headers=response.headers,
                patience=patience,
                pieces=_pieces(response),
            )
            try:
                yield body
            finally:
                await body.aclose()
        if exchange.cancelled_caught:
            raise late(self.endpoint, patience.limit)


def _pieces(response: "httpx2.Response") -> AsyncIterator[bytes]:
    return (
        response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
    )


async def _send(
    client: "openai.AsyncOpenAI",
    method: Method,
    path: str,
    content: Content,
    headers: Mapping[str, str],
) -> "httpx2.Response":
    """To `httpx2.Response` openai casts by handing over the very answer, unread."""
    import httpx2  # noqa: PLC0415  # see the module's first lines
    import openai  # noqa: PLC0415

    options: openai.RequestOptions = {"headers": headers}
    raw = httpx2.Response
    if method == "DELETE":
        return await client.delete(path, cast_to=raw, options=options)
    stream_cls = openai.AsyncStream[object]
    if method == "GET":
        answer = await client.get(
            path, cast_to=raw, stream=True, stream_cls=stream_cls, options=options
        )
    else:
        answer = await client.post(
            path, cast_to=raw, content=content, stream=True, stream_cls=stream_cls, options=options
        )
    return cast("httpx2.Response", answer)


def _build_client(endpoint: Endpoint) -> "openai.AsyncOpenAI":
    """Runs in a worker thread: 0.5 s of imports, and certificates to load."""
    import httpx2  # noqa: PLC0415  # see the module's first lines
    import openai  # noqa: PLC0415

    class Client(openai.AsyncOpenAI):
        """Sends these headers only, whatever OPENAI_… variables are about: they are not for this service."""

        @property
        def default_headers(self) -> dict[str, str | openai.Omit]:
            return {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"exai-trio/{__version__}",
            }

    limits = httpx2.Limits(
        max_connections=2 * endpoint.max_inflight + 2,  # permits decide, not the pool
        max_keepalive_connections=endpoint.max_inflight,
        keepalive_expiry=KEEP_ALIVE_S,
    )
    timeout = httpx2.Timeout(None, connect=endpoint.limits.connect_s)  # the other limits are ours
    http = httpx2.AsyncClient(
        http2=False, limits=limits, timeout=timeout, trust_env=not endpoint.on_loopback
    )
    return Client(
        api_key=endpoint.key or "none",
        admin_api_key="",
        base_url=endpoint.base_url,
        http_client=http,
        max_retries=0,
        timeout=timeout,
    )


@contextmanager
def _foreign_errors(endpoint: Endpoint) -> Generator[None]:
    """What openai and httpx2 raise, as ours. Their texts are not repeated where they could quote a header."""
    import httpx2  # noqa: PLC0415  # see the module's first lines
    import openai  # noqa: PLC0415

    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(endpoint, error.response) from error
    except openai.APITimeoutError as error:
        raise late(endpoint, _limit_behind(error.__cause__)) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise _unreachable(endpoint, error.__cause__ or error) from error
    except httpx2.DecodingError as error:
        raise bad_answer(
            endpoint.dialect.title, "the answer is not compressed as it says", "broken_json"
        ) from error
    except (
        openai.OpenAIError,
        httpx2.HTTPError,
        httpx2.StreamError,
        httpx2.InvalidURL,
        UnicodeError,
    ) as error:
        raise ProviderNetworkError(
            f"{endpoint.dialect.title}: the request could not be made to {endpoint.base_url} ({type(error).__name__})",
            details={"reason": "unsendable", "max_attempts": 1},
        ) from error


def late(endpoint: Endpoint, limit: Limit) -> ProviderTimeoutError:
    seconds: float = getattr(endpoint.limits, f"{limit}_s")
    return ProviderTimeoutError(
        f"{endpoint.dialect.title}: {_WHAT_WAS_LATE[limit].format(seconds)}",
        details={"limit": limit, "seconds": seconds},
    )


def _limit_behind(cause: BaseException | None) -> Limit:
    import httpx2  # noqa: PLC0415  # see the module's first lines

    return "connect" if isinstance(cause, httpx2.ConnectTimeout) else "first_byte"


def _refusal(endpoint: Endpoint, response: "httpx2.Response") -> ProviderError:
    dialect = endpoint.dialect
    complaint = complaint_in(response.status_code, response.content)
    verdict = dialect.judge(complaint) or verdict_by_status(complaint)
    return fault(dialect.title, complaint, verdict, retry_after(response.headers))


def _unreachable(endpoint: Endpoint, cause: BaseException) -> ProviderNetworkError:
    import httpx2  # noqa: PLC0415  # see the module's first lines

    title = endpoint.dialect.title
    if isinstance(cause, httpx2.ConnectError):
        return ProviderNetworkError(
            f"{title}: no connection to {endpoint.base_url}: {cause}", details={"reason": "connect"}
        )
    return ProviderNetworkError(
        f"{title}: the connection broke before the answer was complete ({type(cause).__name__})",
        details={"reason": "broken"},
    )
