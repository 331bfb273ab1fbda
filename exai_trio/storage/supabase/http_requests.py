"""Requests to Supabase over HTTP: the only module of the store that knows httpx2, and where its errors become HostedFault."""

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

import attrs
import httpx2
import msgspec

from exai_trio import structs
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.supabase.answers import fault_of

T = TypeVar("T")

REQUEST_S: Final = 5.0
SILENCE_S: Final = 60.0  # of an object that is on its way
PIECE: Final = 256 * 1024
_CONNECTIONS: Final = 10


@structs.frozen(kw_only=True)
class Project:
    """Where a project of Supabase is, and the key of its service role."""

    url: str
    key: str = attrs.field(repr=lambda _: "<set>")


@structs.frozen(kw_only=True, eq=False)
class Streamed:
    """An answer of the Storage API: its body, or the pieces of an object that is being read."""

    status: int
    body: bytes = b""
    pieces: AsyncIterable[bytes] | None = None


@structs.frozen(eq=False)
class Requests:
    """An open client. Every method raises HostedFault; cancelling leaves open whether what was asked has been done."""

    _http: httpx2.AsyncClient

    async def call(self, function: str, body: bytes, returned: type[T]) -> T:
        """What a function of the database returns; anything that is not of that type is a fault."""
        return await self.post(f"/rest/v1/rpc/{function}", body, returned)

    async def post(self, path: str, body: bytes, returned: type[T]) -> T:
        with _mapped():
            response = await self._http.post(path, content=body)
        return _read(response, returned)

    async def get(self, path: str, returned: type[T]) -> T:
        with _mapped():
            response = await self._http.get(path)
        return _read(response, returned)

    async def look(self, path: str) -> Streamed:
        """Whatever it answers; what that means is the asker's to say."""
        with _mapped():
            response = await self._http.get(path)
        return Streamed(status=response.status_code, body=response.content)

    async def remove(self, path: str) -> Streamed:
        with _mapped():
            response = await self._http.delete(path)
        return Streamed(status=response.status_code, body=response.content)

    async def stream_up(
        self, path: str, size: int, content: AsyncIterable[bytes], kind: str
    ) -> Streamed:
        """Each piece is asked for when the one before it is on its way."""
        headers = {"content-type": kind, "content-length": f"{size}"}
        with _mapped():
            response = await self._http.post(
                path, content=content, headers=headers, timeout=SILENCE_S
            )
        return Streamed(status=response.status_code, body=response.content)

    @asynccontextmanager
    async def stream_down(self, path: str, headers: Mapping[str, str]) -> AsyncGenerator[Streamed]:
        """Pieces of an object as they come; leaving early ends the reading."""
        with _mapped():
            async with self._http.stream(
                "GET", path, headers=dict(headers), timeout=SILENCE_S
            ) as response:
                if response.is_success:
                    yield Streamed(status=response.status_code, pieces=response.aiter_bytes(PIECE))
                else:
                    yield Streamed(status=response.status_code, body=await response.aread())


@asynccontextmanager
async def open_requests(project: Project) -> AsyncGenerator[Requests]:
    """A client until the block is left, which closes it, as cancelling does. Nothing is asked yet."""
    headers = {
        "apikey": project.key,
        "authorization": f"Bearer {project.key}",
        "content-type": "application/json",
    }
    limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    async with httpx2.AsyncClient(
        base_url=project.url, headers=headers, timeout=REQUEST_S, limits=limits, http2=False
    ) as http:
        yield Requests(http)


@contextmanager
def _mapped() -> Generator[None]:
    try:
        yield
    except (httpx2.HTTPError, httpx2.StreamError) as fault:
        reason = type(fault).__name__
        raise HostedAway(
            f"Supabase cannot be reached ({reason}); what is kept meanwhile is sent later.",
            reason=reason,
        ) from fault


def _read(response: httpx2.Response, returned: type[T]) -> T:
    after = response.headers.get("retry-after", "")
    fault = fault_of(response.status_code, response.content, after)
    if fault is not None:
        raise fault
    return decoded(response.content or b"null", returned)


def decoded(body: bytes, returned: type[T]) -> T:
    """Raises HostedAway for anything else, such as whoever is not Supabase answers."""
    try:
        return msgspec.json.decode(body, type=returned)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise HostedAway(
            "Supabase's answer is not what was asked for: is SUPABASE_URL the project's?",
            reason=type(broken).__name__,
        ) from broken
