"""HTTP to one OpenAI-compatible endpoint, and the only importer of openai: bytes out, bytes in, every limit kept.

openai, imported when first needed in a worker thread, signs and sends; bodies are encoded and read by us, which costs less time.
"""

import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, cast

import attrs
import trio

from exai_trio import __version__, structs
from exai_trio.errors import ProviderAuthError, ProviderNetworkError, ServiceUnavailableError

from .endpoint import Endpoint
from .refusals.error_responses import broken_off, refusal, unreachable, unsendable
from .refusals.provider_errors import bad_answer
from .timeouts import Patience, late

if TYPE_CHECKING:
    import httpx2
    import openai

LEAVE_S: Final = 0.1  # for the rest of a complete answer, so that its connection can be used again
KEEP_ALIVE_S: Final = 30.0
RELOAD_S: Final = 1.0  # after which a client that could not be loaded is worth another try
LARGEST_BODY: Final = 128 * 1024 * 1024  # bytes read whole: a file of 100 MB in JSON
_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e]*")
Method = Literal["GET", "POST", "DELETE"]
Content = bytes | AsyncIterator[bytes] | None


@structs.define(kw_only=True)
class Body:
    """The body of one answer as it comes in.
    Cancelling a read makes what is left unreadable: the body is closed, and the socket with it."""

    endpoint: Endpoint
    headers: Mapping[str, str]
    _complete: bool = attrs.field(default=False, init=False)
    _patience: Patience = attrs.field(alias="patience")
    _pieces: AsyncIterator[bytes] = attrs.field(alias="pieces")

    async def next_piece(self) -> bytes | None:
        """The next bytes, None at the end. Raises: ProviderNetworkError, BadAnswerError."""
        self._patience.heard()
        with _foreign_errors(self.endpoint):
            return await anext(self._pieces, None)

    def finish(self) -> None:
        """The answer is complete: what may still follow does not matter, and no limit can spoil it any more."""
        self._complete = True
        self._patience.end()

    async def read_all(self) -> bytes:
        gathered = bytearray()
        while (piece := await self.next_piece()) is not None:
            gathered += piece
            if len(gathered) > LARGEST_BODY:
                raise bad_answer(
                    self.endpoint.dialect.title, "the answer does not end", "too_large"
                )
        self.finish()
        return bytes(gathered)

    async def aclose(self) -> None:
        """Reads a complete answer to its end if that is near; anything else is cut off, and the socket closed.

        Going on reading in a cancelled scope is what unwinds the generators of three libraries in the right order.
        """
        import httpx2

        with trio.CancelScope() as leaving, suppress(httpx2.HTTPError, httpx2.StreamError):
            # audit: suppress, because the answer is whole
            if self._complete:
                leaving.deadline = trio.current_time() + LEAVE_S
            else:
                leaving.cancel(reason="the rest of the answer is not wanted")
            async for _ in self._pieces:
                pass


@structs.frozen(kw_only=True)
class Clients:
    """openai's client, and the HTTP client below it, which both use."""

    sdk: "openai.AsyncOpenAI"
    http: "httpx2.AsyncClient"


@structs.define(kw_only=True)
class Service:
    """One endpoint with its connections, which `aclose` ends. Cancelling a request closes its socket at once."""

    endpoint: Endpoint
    _clients: Clients | None = attrs.field(default=None, init=False)
    _building: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def wait_ready(self) -> Clients:
        """Imports openai and builds the clients, unless that is done.

        Raises: ProviderAuthError for an impossible key, ProviderNetworkError for an impossible address,
            ServiceUnavailableError where this machine has no room for them, such as no descriptors.
        """
        title = self.endpoint.dialect.title
        if not _HEADER_TEXT.fullmatch(self.endpoint.key):
            raise ProviderAuthError(f"{title}: the key holds characters that no key has")
        async with self._building:
            if self._clients is None:
                try:
                    self._clients = await trio.to_thread.run_sync(
                        _build_clients, self.endpoint, abandon_on_cancel=True
                    )
                except (OSError, ImportError) as error:
                    why = f"{title}: its client could not be loaded: {error}"
                    raise ServiceUnavailableError(why, retry_after_s=RELOAD_S) from error
            return self._clients

    async def aclose(self) -> None:
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.http.aclose()

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
        clients = self._clients or await self.wait_ready()
        limits, now = self.endpoint.limits, trio.current_time()
        exchange = trio.CancelScope()
        patience = Patience(limits=limits, scope=exchange, stream_until=now + limits.stream_s)
        with exchange:
            patience.wait_for_first_byte(now, first_byte_s or limits.first_byte_s)
            with _foreign_errors(self.endpoint):
                response = await _send(clients, method, path, content, headers or {})
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
    to_be_decoded = response.is_stream_consumed or "content-encoding" in response.headers
    return response.aiter_bytes() if to_be_decoded else response.aiter_raw()


async def _send(
    clients: Clients, method: Method, path: str, content: Content, headers: Mapping[str, str]
) -> "httpx2.Response":
    """To `httpx2.Response` openai casts by handing over the very answer, unread."""
    import httpx2
    import openai

    if isinstance(content, AsyncIterator):
        return await _send_form(clients, path, content, headers)
    raw, sdk = httpx2.Response, clients.sdk
    options: openai.RequestOptions = {"headers": headers}
    if method == "DELETE":
        return await sdk.delete(path, cast_to=raw, options=options)
    events = openai.AsyncStream[object]
    if method == "GET":
        answer = await sdk.get(path, cast_to=raw, stream=True, stream_cls=events, options=options)
    else:
        answer = await sdk.post(
            path, cast_to=raw, content=content, stream=True, stream_cls=events, options=options
        )
    return cast("httpx2.Response", answer)


async def _send_form(
    clients: Clients, path: str, content: AsyncIterator[bytes], headers: Mapping[str, str]
) -> "httpx2.Response":
    """Past openai, which takes multipart bodies only as files that it reads in the event loop."""
    import openai

    sdk, http = clients.sdk, clients.http
    signed = {**sdk.auth_headers, "Accept": "application/json", **headers}
    url = f"{str(sdk.base_url).rstrip('/')}{path}"
    response = await http.send(
        http.build_request("POST", url, headers=signed, content=content), stream=True
    )
    if not response.is_success:
        await response.aread()
        raise openai.APIStatusError("refused", response=response, body=None)
    return response


def _build_clients(endpoint: Endpoint) -> Clients:
    """Runs in a worker thread: 0.5 s of imports, and certificates to load."""
    import httpx2

    try:
        timeout = httpx2.Timeout(None, connect=endpoint.limits.connect_s)  # the others are ours
        http = httpx2.AsyncClient(
            http2=False,
            limits=httpx2.Limits(
                max_connections=2 * endpoint.max_inflight + 2,  # permits decide, not the pool
                max_keepalive_connections=endpoint.max_inflight,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
            timeout=timeout,
            trust_env=not endpoint.on_loopback,
            verify=_certificates(endpoint),
        )
        return Clients(sdk=_build_sdk(endpoint, http, timeout), http=http)
    except (httpx2.InvalidURL, ValueError) as error:
        raise unsendable(endpoint, type(error).__name__) from error


def _certificates(endpoint: Endpoint) -> ssl.SSLContext | Literal[True]:
    """The usual ones; none for an endpoint without TLS, since loading them takes longer than a request."""
    if endpoint.base_url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def _build_sdk(
    endpoint: Endpoint, http: "httpx2.AsyncClient", timeout: "httpx2.Timeout"
) -> "openai.AsyncOpenAI":
    import openai

    class Client(openai.AsyncOpenAI):
        """Sends these headers only, whatever OPENAI_… variables are about: they are not for this service."""

        @property
        def default_headers(self) -> dict[str, str | openai.Omit]:
            return {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"exai-trio/{__version__}",
            }

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
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        answer = error.response
        raise refusal(endpoint, answer.status_code, answer.content, answer.headers) from error
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        connecting = isinstance(error.__cause__ or error, httpx2.ConnectTimeout)
        raise late(endpoint, "connect" if connecting else "first_byte") from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise _broken(endpoint, error.__cause__ or error) from error
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
        raise unsendable(endpoint, type(error).__name__) from error


def _broken(endpoint: Endpoint, cause: BaseException) -> ProviderNetworkError:
    import httpx2

    if isinstance(cause, httpx2.ConnectError):
        return unreachable(endpoint, str(cause))
    return broken_off(endpoint, type(cause).__name__)
