"""How a daemon comes to Supabase: an open client, and the other side of its mirror on it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from exai_trio.storage.supabase.http_requests import Project, open_requests
from exai_trio.storage.supabase.migrations import newest
from exai_trio.storage.supabase.remote import SupabaseRemote


@asynccontextmanager
async def open_remote(
    url: str, key: str, now: Callable[[], float]
) -> AsyncGenerator[SupabaseRemote]:
    """Until the block is left, which closes the client, as cancelling does. Nothing is asked yet."""
    async with open_requests(Project(url=url, key=key)) as requests:
        yield SupabaseRemote(requests, now, newest())
