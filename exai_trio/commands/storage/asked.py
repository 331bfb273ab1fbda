"""What an action of `exai storage` is given, what it tells, and how it comes to the two sides of the store."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite
from exai_trio.system.clock import unix_now

if TYPE_CHECKING:  # loaded only where Supabase is asked
    from exai_trio.storage.supabase.remote import SupabaseRemote


@structs.frozen(kw_only=True)
class Asked:
    """`full`: look at everything, however long that takes."""

    config: Config
    full: bool = False

    @property
    def database(self) -> Path:
        return self.config.state / "exai.db"

    def check_hosted(self) -> None:
        """Raises ArgumentError where there is no other side."""
        if not self.config.is_hosted:
            raise ArgumentError("STORAGE_BACKEND is sqlite: there is no Supabase to speak of.")


@structs.frozen(kw_only=True)
class Told:
    """The same as plain data and as lines; `code` is the exit code."""

    data: dict[str, Any]
    lines: tuple[str, ...] = attrs.field(factory=tuple)
    code: int = 0


@asynccontextmanager
async def open_store(asked: Asked) -> AsyncGenerator[SqliteStore]:
    """The database of this machine, whether or not a daemon has it open. Raises NotFoundError, StorageError; cancelling closes it."""
    if not asked.database.exists():
        raise NotFoundError(f"Nothing is stored in {asked.database} yet.")
    async with open_sqlite(asked.database) as store:
        yield store


@asynccontextmanager
async def open_supabase(asked: Asked) -> "AsyncGenerator[SupabaseRemote]":
    """The other side; nothing is asked yet. Cancelling closes it."""
    from exai_trio.storage.supabase.connecting import open_remote  # only where it is asked

    config = asked.config
    async with open_remote(config.supabase_url, config.supabase_key, unix_now) as remote:
        yield remote
