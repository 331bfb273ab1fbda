"""What other machines have stored of the owner's large results: listed, and fetched once for this machine."""

from datetime import datetime
from typing import Any, Final

import msgspec

from exai_trio.bus.shared_payloads import SharedPayloads
from exai_trio.commands.storage.asked import Asked, open_supabase
from exai_trio.commands.watching.open_home import in_store
from exai_trio.config import Config
from exai_trio.errors import NotFoundError
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.stored_payloads import PayloadStatus, StoredPayload
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_bucket import RESULTS, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.system.clock import unix_now

_COLUMNS: Final = (
    "transaction_id,principal,session_id,request_id,status,size_bytes,stored_bytes,compression,sha256,"
    "created_at,expires_at"
)
_LISTED: Final = (
    f"/rest/v1/message_bus?select={_COLUMNS}&principal=eq.{OWNER}&status=in.(stored,delivered)"
    "&storage_path=not.is.null&expires_at=gt.now&order=created_at"
)


class _Row(msgspec.Struct):
    """As PostgREST gives it."""

    transaction_id: str
    principal: str
    session_id: str | None
    request_id: str | None
    status: PayloadStatus
    size_bytes: int
    stored_bytes: int
    compression: str
    sha256: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def payload(self) -> StoredPayload:
        fields: dict[str, Any] = {
            name: value or "" for name, value in msgspec.structs.asdict(self).items()
        }
        fields |= {
            "created_at": self.created_at.timestamp(),
            "expires_at": self.expires_at.timestamp(),
        }
        return StoredPayload(**fields)


async def listed(config: Config) -> tuple[StoredPayload, ...]:
    """Those that can be asked for, oldest first; this machine's own among them. Raises StorageError; cancelling changes nothing."""
    async with open_supabase(Asked(config=config)) as remote:
        rows = await remote.requests.get(_LISTED, list[_Row])
    return tuple(row.payload for row in rows)


async def fetched(config: Config, transaction_id: str) -> StoredPayload:
    """It is among this machine's from now on. Raises ExaiError; cancelling leaves it fetched or not."""
    async with open_supabase(Asked(config=config)) as remote:
        guarded = GuardedRemote()
        guarded.connect(remote)
        found = await in_store(
            config.state / "exai.db",
            lambda store: _shared(config, store, guarded).find(transaction_id, OWNER, unix_now()),
        )
    if found is None:
        raise NotFoundError(f"the large result {transaction_id} is not at Supabase any more")
    return found


def _shared(config: Config, store: SqliteStore, guarded: GuardedRemote) -> SharedPayloads:
    rows = SqlitePayloads(store)
    return SharedPayloads(
        rows=rows,
        copies=rows,
        folder=config.home / "bus",
        bucket=GuardedBucket(guarded, RESULTS),
        functions=GuardedFunctions(guarded),
    )
