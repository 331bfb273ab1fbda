"""Large results of all machines of a principal: those of this machine first, and what another one has stored is fetched when it is asked
for."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.bus import payload_files
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.storage.contracts.file_objects import Bucket
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPayloads, StoredPiece
from exai_trio.storage.hosted.function_calls import Functions, ask
from exai_trio.storage.hosted.guarded_bucket import GuardedBucket
from exai_trio.storage.hosted.hosted_faults import HostedFault
from exai_trio.storage.hosted.object_sender import Unsent
from exai_trio.system.private_files import open_at_once

_BLOCK: Final = 1024 * 1024
_NO_LIMIT: Final = 2**62
_MOST_DUE: Final = 500


class _Row(msgspec.Struct):
    """What `exai_payload` returns."""

    transaction_id: str
    principal: str
    session_id: str
    request_id: str
    status: str
    size_bytes: int
    stored_bytes: int
    compression: str
    sha256: str
    pieces: list[tuple[int, str]]
    created_at: float
    expires_at: float
    delivered_at: float | None


@structs.frozen(kw_only=True, eq=False)
class SharedPayloads:
    """StoredPayloads, of which `find` also knows those of other machines. `rows` are this machine's, of which the other side hears;
    `copies` the same without telling."""

    rows: StoredPayloads
    copies: StoredPayloads
    folder: Path
    bucket: GuardedBucket
    functions: Functions

    async def begin(self, payload: StoredPayload, most_bytes: int) -> bool:
        return await self.rows.begin(payload, most_bytes)

    async def finish(self, payload: StoredPayload, now: float) -> bool:
        return await self.rows.finish(payload, now)

    async def find(self, transaction_id: str, principal: str, now: float) -> StoredPayload | None:
        """Raises ServiceUnavailableError if it is not here, and cannot be looked for."""
        found = await self.rows.find(transaction_id, principal, now)
        if found is not None:
            return found
        try:
            return await self._fetched(transaction_id, principal, now)
        except HostedFault as fault:
            raise ServiceUnavailableError(
                f"This result is not on this machine, and {fault.message[0].lower()}{fault.message[1:]}",
                retry_after_s=fault.retry_after_s,
            ) from fault

    async def deliver(self, transaction_id: str, now: float) -> None:
        await self.rows.deliver(transaction_id, now)

    async def expire(
        self, transaction_ids: tuple[str, ...], now: float, why: str, *, if_pending: bool = False
    ) -> tuple[str, ...]:
        return await self.rows.expire(transaction_ids, now, why, if_pending=if_pending)

    async def due(self, now: float, most: int) -> tuple[StoredPayload, ...]:
        return await self.rows.due(now, most)

    async def forget(self, before: float, most: int) -> int:
        return await self.rows.forget(before, most)

    async def all(self) -> tuple[StoredPayload, ...]:
        return await self.rows.all()

    @asynccontextmanager
    async def to_send(self, transaction_id: str) -> AsyncGenerator[AsyncIterator[bytes] | None]:
        """The content as it is stored; None if it is here no more. Raises StorageError. Cancelling closes it."""
        path = payload_files.path_of(self.folder, transaction_id)
        with ExitStack() as stack:
            try:
                file = await trio.to_thread.run_sync(open_at_once, path)
            except FileNotFoundError:
                yield None
                return
            except OSError as fault:
                raise StorageError(f"{path} cannot be read: {fault.strerror or fault}") from fault
            yield Blocks(stack.enter_context(file))

    async def note_sent(self, unsent: Unsent) -> bool:
        """The bucket has it. False if its row is still on its way there. Raises HostedFault; cancelling leaves it noted or not."""
        path = f"{self.bucket.name}/{unsent.name}"
        return bool(
            await ask(self.functions, "exai_payload_stored", bool, id=unsent.name, path=path)
        )

    async def remove_old(self) -> int:
        """Those whose time is over go from the bucket, whoever has stored them. Returns how many. Raises HostedFault; cancelling leaves
        the rest to the next time."""
        due: list[tuple[str, int]] = await ask(
            self.functions, "exai_due_payloads", list[tuple[str, int]], most=_MOST_DUE
        )
        for name, size in due:
            await self.bucket.delete(name)
            await ask(self.functions, "exai_payload_gone", None, id=name, freed=size)
        return len(due)

    async def _fetched(
        self, transaction_id: str, principal: str, now: float
    ) -> StoredPayload | None:
        row: _Row | None = await ask(
            self.functions, "exai_payload", _Row | None, id=transaction_id, principal=principal
        )
        if row is None or any(
            one.transaction_id == transaction_id for one in await self.rows.all()
        ):
            return None  # one that has expired here has expired everywhere
        if not await self.bucket.use(lambda bucket: self._pull(bucket, transaction_id)):
            return None
        payload = _payload_of(row)
        await self.copies.begin(attrs.evolve(payload, status="pending"), _NO_LIMIT)
        await self.copies.finish(payload, now)
        return await self.copies.find(transaction_id, principal, now)

    async def _pull(self, bucket: Bucket, transaction_id: str) -> bool:
        """Each piece is held to its hash when it is read. A file without a row is removed at the next start."""
        path = payload_files.path_of(self.folder, transaction_id)
        async with bucket.open(transaction_id) as blocks:
            if blocks is None:
                return False
            with ExitStack() as otherwise:
                try:
                    file = await trio.to_thread.run_sync(payload_files.begin, path, otherwise)
                    async for block in blocks:
                        await trio.to_thread.run_sync(payload_files.write_all, file.fileno(), block)
                    await trio.to_thread.run_sync(payload_files.name, file, path)
                except OSError as fault:
                    raise StorageError(
                        f"{path} cannot be written: {fault.strerror or fault}"
                    ) from fault
                otherwise.pop_all()
        return True


@structs.define
class Blocks:
    """An asynchronous iterator over an open file. No generator, so that one left unfinished needs no closing."""

    _file: BinaryIO

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        block = await trio.to_thread.run_sync(self._file.read, _BLOCK)
        if not block:
            raise StopAsyncIteration
        return block


def _payload_of(row: _Row) -> StoredPayload:
    """As it is kept here, before anybody here has fetched it."""
    fields: dict[str, Any] = msgspec.structs.asdict(row)
    fields["pieces"] = tuple(StoredPiece(*piece) for piece in row.pieces)
    fields |= {"status": "stored", "delivered_at": None}
    return StoredPayload(**fields)
