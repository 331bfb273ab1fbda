"""The way to Redis: the only module that knows its client. Each question is one round trip, and bounded."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, StorageError

if TYPE_CHECKING:  # 0.8 s that a daemon without Redis need not spend
    from coredis import Redis

_MOST_S: Final = 0.05  # of a question on a client's way
_PATIENT_S: Final = 5.0
_AGAIN_S: Final = 1.0  # a hint to clients, who decide
_CONNECT_S: Final = 2.0


@structs.define(eq=False)
class RedisConnection:
    """`prefix` begins every key; `most_s` is how long a question may take."""

    _client: "Redis[str]"
    _errors: tuple[type[Exception], ...]
    prefix: str
    most_s: float = _MOST_S

    def key(self, *parts: str) -> str:
        return ":".join((self.prefix, *parts))

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        values: Sequence[str | float],
        *,
        patient: bool = False,
    ) -> Any:
        """What a script returns; `patient` where no client waits. Raises StorageError; then it was run or not. Cancelling as well."""
        most_s = max(self.most_s, _PATIENT_S) if patient else self.most_s
        return await self._answer(self._client.eval(script, list(keys), list(values)), most_s)

    async def _answer(self, asked: Awaitable[Any], most_s: float) -> Any:
        why = f"no answer within {most_s * 1000:.0f} ms"
        try:
            with trio.move_on_after(most_s):
                return await asked
        except self._errors as fault:
            why = f"{type(fault).__name__}: {fault}"
        raise StorageError(f"Redis (REDIS_URL) cannot be asked: {why}", retry_after_s=_AGAIN_S)

    async def policy(self) -> str:
        """The `maxmemory-policy`. Raises StorageError. Cancelling leaves nothing behind."""
        told = await self._answer(self._client.info("memory"), _PATIENT_S)
        return str(told["maxmemory_policy"])


def _encrypted(url: str) -> dict[str, Any]:
    """With rediss://, whose certificate must be of that host; `?ssl_ca_certs=FILE` names who vouches for it, if none that this machine
    trusts. Raises ArgumentError."""
    import ssl

    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return {}
    file = parse_qs(parts.query).get("ssl_ca_certs", [None])[0]
    try:
        return {"ssl_context": ssl.create_default_context(cafile=file)}
    except OSError as fault:
        text = f"REDIS_URL: ssl_ca_certs={file} cannot be used: {fault.strerror or fault}"
        raise ArgumentError(text, details={"field": "REDIS_URL"}) from None


@asynccontextmanager
async def open_redis(
    url: str, deployment: str, *, patient: bool = False
) -> AsyncGenerator[RedisConnection]:
    """The connection, whether or not Redis answers. `patient`: a person waits, and no client. Raises ArgumentError. Cancelling
    closes it."""
    import anyio
    import coredis
    from coredis.exceptions import RedisError
    from coredis.retry import NoRetryPolicy

    errors = (
        RedisError,
        OSError,
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
        anyio.EndOfStream,
    )
    asking = coredis.Redis.from_url(
        url,
        decode_responses=True,
        retry_policy=NoRetryPolicy(),
        connect_timeout=_CONNECT_S,
        verify_version=False,
        **_encrypted(url),
    )
    async with asking as client:
        most_s = _PATIENT_S if patient else _MOST_S
        yield RedisConnection(client, errors, deployment, most_s)
