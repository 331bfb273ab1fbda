"""Where the tokens of this home are: in Redis, if daemons share them, else in the home's database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from exai_trio.access.redis_connection import open_redis
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.sqlite_registry import Database, SqliteRegistry


@asynccontextmanager
async def open_registry(
    redis_url: str, deployment: str, database: Database
) -> AsyncGenerator[RedisRegistry | SqliteRegistry]:
    """Whether or not Redis answers. Cancelling closes the connection."""
    if not redis_url:
        yield SqliteRegistry(database)
        return
    async with open_redis(redis_url, deployment) as redis:
        yield RedisRegistry(redis)
