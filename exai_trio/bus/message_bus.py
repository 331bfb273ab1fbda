"""The message bus: a large result is put once, told by reference, and fetched in pieces by the principal whose it is.

A row comes first, then the file, then the row says that the file is whole; who puts tells nobody before that. So a kill leaves at
most a row that is pending and a file that nobody knows, and `recover` removes both.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import (
    ExaiError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
    TooLargeError,
)
from exai_trio.storage.contracts.stored_payloads import ROW_GRACE_S, StoredPayload, StoredPayloads
from exai_trio.system.disk import fault_of

from . import payload_files
from .payload_files import Format, Written
from .pieces import sha256_of

T = TypeVar("T")

MOST_BYTES: Final = 2 * 2**30  # of all results that are kept
_ABANDONED_S: Final = 600.0  # no write of a file takes so long
_UNFINISHED: Final = "it was never finished"
_MOST_ROWS: Final = 500  # in one run of the upkeep
_AT_ONCE: Final = 2  # files that are written or read at the same time


@structs.frozen(kw_only=True)
class BusRules:
    """What is kept: how large one may be, how large all, for how many seconds, and how they are stored."""

    # replaced by the settings wherever a daemon is built
    payload_bytes: int = 100 * 2**20
    total_bytes: int = MOST_BYTES
    lasts_s: float = 48 * 3600.0
    format: Format = Format()


@structs.define(eq=False)
class MessageBus:
    """`now` is the wall clock. `held_bytes` is what the files took when they were last counted, and what has come since."""

    rows: StoredPayloads
    folder: Path
    now: Callable[[], float]
    rules: BusRules = BusRules()
    held_bytes: int = 0
    _has_recovered: bool = False
    _writing: set[str] = attrs.field(factory=set[str])
    _threads: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_AT_ONCE))

    def __repr__(self) -> str:
        return f"<MessageBus writing={len(self._writing)} bytes={self.held_bytes}>"

    async def put(
        self, text: str, size: int, *, principal: str, session: str, request: str
    ) -> StoredPayload:
        """Keep the text, whose UTF-8 has `size` bytes. It is stored when this returns.

        Raises TooLargeError; StorageError if the disk or the bus is full, or cannot be written. Then, and when it is cancelled,
        nothing can be asked for, and what there is of it is removed now or by `expire_payloads`.
        """
        if size > self.rules.payload_bytes:
            raise TooLargeError(
                f"a result of {size} bytes is larger than MESSAGE_BUS_MAX_PAYLOAD_MB"
            )
        pending = self._pending(size, principal, session, request)
        self._writing.add(pending.transaction_id)
        try:
            return await self._store(pending, text)
        finally:
            self._writing.discard(pending.transaction_id)

    def _pending(self, size: int, principal: str, session: str, request: str) -> StoredPayload:
        now = self.now()
        return StoredPayload(
            transaction_id=f"txn_{secrets.token_hex(16)}",
            principal=principal,
            session_id=session,
            request_id=request,
            status="pending",
            size_bytes=size,
            stored_bytes=size,
            compression=self.rules.format.compression,
            created_at=now,
            expires_at=now + self.rules.lasts_s,
        )

    async def _store(self, pending: StoredPayload, text: str) -> StoredPayload:
        """Its text is hashed meanwhile, which takes as long as the rest."""
        digests: list[str] = []
        async with trio.open_nursery() as hashing:
            if self.rules.format.checksums:
                hashing.start_soon(self._hash, text, digests)
            written = await self._write(pending, text)
        if isinstance(written, Written):
            stored = _stored(pending, written, "".join(digests))
            if await self.rows.finish(stored, self.now()):
                self.held_bytes += stored.stored_bytes
                return stored
            written = StorageError("its row was taken away")
        await fault_of(partial(self._give_up, pending, written.message))
        raise written

    async def _hash(self, text: str, digests: list[str]) -> None:
        step = trio.from_thread.check_cancelled
        digests.append(await self._in_thread(partial(sha256_of, text, step)))

    async def _write(self, pending: StoredPayload, text: str) -> Written | StorageError:
        path = payload_files.path_of(self.folder, pending.transaction_id)
        step = trio.from_thread.check_cancelled
        write = partial(payload_files.write, path, text, self.rules.format, step)
        try:
            if not await self.rows.begin(pending, self.rules.total_bytes):
                most = self.rules.total_bytes
                return StorageError(f"the message bus is full: it keeps {most} bytes")
            return await self._in_thread(write)
        except StorageError as fault:
            return fault
        except UnicodeEncodeError:
            return StorageError("it has half characters (lone surrogates)")
        except OSError as refused:
            why = refused.strerror or refused
            return StorageError(f"{self.folder} cannot be written: {why}")

    async def _give_up(self, pending: StoredPayload, why: str) -> None:
        await self.rows.expire((pending.transaction_id,), self.now(), why)
        await self._remove((pending.transaction_id,))

    async def find(self, transaction_id: str, principal: str) -> StoredPayload:
        """What is known of it. Cancelling changes nothing. Raises NotFoundError, also for another's and for one whose time is over; StorageError."""
        found = await self.rows.find(transaction_id, principal, self.now())
        if found is None:
            raise _unknown(transaction_id, self.rules)
        return found

    async def piece(self, payload: StoredPayload, offset: int) -> bytes:
        """Bytes of the plain text from `offset` on, at most PIECE_BYTES. Raises as `pieces` does. Cancelling waits
        for the disk."""
        return (await self.pieces(payload, (offset,)))[0]

    async def pieces(self, payload: StoredPayload, offsets: Sequence[int]) -> list[bytes]:
        """`piece` for each of them, up to the first that cannot be read. If that is the very first it raises InvalidRequestError,
        NotFoundError if the file is gone, StorageError, PayloadDamagedError. Cancelling waits for the disk."""
        return await self._in_thread(partial(self._read, payload, offsets))

    def _read(self, payload: StoredPayload, offsets: Sequence[int]) -> list[bytes]:
        pieces: list[bytes] = []
        try:
            pieces.extend(self._read_piece(payload, offset) for offset in offsets)
        except ExaiError:
            if not pieces:
                raise
        return pieces

    def _read_piece(self, payload: StoredPayload, offset: int) -> bytes:
        if offset >= payload.size_bytes:
            raise InvalidRequestError(
                f"offset {offset} is beyond the end: the result has {payload.size_bytes} bytes"
            )
        try:
            return payload_files.read(self.folder, payload, offset)
        except FileNotFoundError as gone:
            raise _unknown(payload.transaction_id, self.rules) from gone
        except OSError as fault:
            raise StorageError(
                f"{self.folder} cannot be read: {fault.strerror or fault}"
            ) from fault

    async def text(self, payload: StoredPayload) -> str:
        """All of it, for who cannot fetch pieces. Raises as `piece` does; cancelling waits for the disk."""
        pieces: list[bytes] = []
        while (offset := sum(map(len, pieces))) < payload.size_bytes:
            pieces.append(await self.piece(payload, offset))
        return b"".join(pieces).decode()

    async def deliver(self, payload: StoredPayload) -> None:
        """A client has all of it. Raises StorageError. Cancelled, it is noted or not."""
        await self.rows.deliver(payload.transaction_id, self.now())

    async def upkeep(self, now: float | None) -> None:
        """The first time `recover`; then, unless there is no time that can be trusted, `expire_payloads`. Raises StorageError.
        Cancelled, the rest is for the next time."""
        if not self._has_recovered:
            await self.recover()
            self._has_recovered = True
        if now is not None:
            await self.expire_payloads(now, _MOST_ROWS)

    async def expire_payloads(self, now: float, limit: int) -> int:
        """At most `limit` that are past their time, or were never finished, cannot be asked for any more, and their files go. Returns how
        many those were. Raises StorageError. Cancelled, the rest is for the next time."""
        due = await self.rows.due(now, limit)
        abandoned = [one for one in due if one.expires_at > now and one.created_at < now - _ABANDONED_S]  # fmt: skip
        over = [one for one in due if one.expires_at <= now]
        await self._expire(over, now, "its time is over")
        await self._expire(abandoned, now, _UNFINISHED, if_pending=True)
        await self.rows.forget(now - ROW_GRACE_S, limit)
        return len(over) + len(abandoned)

    async def recover(self) -> None:
        """What a daemon that was killed left unfinished goes, and files that no row knows. For the one process that has the home.
        Raises StorageError. Cancelled, it can be done again."""
        files = await self._in_thread(partial(payload_files.stored_names, self.folder))
        rows = await self.rows.all()
        now = self.now()
        unfinished = [row for row in rows if row.status == "pending" and not self._is_written(row)]
        await self._expire(unfinished, now, _UNFINISHED, if_pending=True)
        known = {row.transaction_id for row in rows if row.status != "expired"} | self._writing
        await self._remove(tuple(name for name in files if name not in known))
        self.held_bytes = sum(
            row.stored_bytes for row in rows if row.status in {"stored", "delivered"}
        )

    def _is_written(self, row: StoredPayload) -> bool:
        return row.transaction_id in self._writing

    async def _expire(
        self, payloads: list[StoredPayload], now: float, why: str, *, if_pending: bool = False
    ) -> None:
        """The row first: a file without one is looked for at the next start. With `if_pending` what was finished since the rows were
        read stays."""
        ids = tuple(one.transaction_id for one in payloads if not self._is_written(one))
        if ids:
            await self._remove(await self.rows.expire(ids, now, why, if_pending=if_pending))
            gone = sum(one.stored_bytes for one in payloads if one.status != "pending")
            self.held_bytes = max(0, self.held_bytes - gone)

    async def _remove(self, transaction_ids: tuple[str, ...]) -> None:
        try:
            await self._in_thread(partial(payload_files.remove, self.folder, transaction_ids))
        except OSError as fault:
            raise StorageError(
                f"{self.folder} cannot be tidied: {fault.strerror or fault}"
            ) from fault

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._threads)


def _stored(pending: StoredPayload, written: Written, sha256: str) -> StoredPayload:
    return attrs.evolve(
        pending,
        status="stored",
        size_bytes=written.size,
        stored_bytes=written.stored,
        compression=written.compression,
        sha256=sha256,
        pieces=written.pieces,
    )


def _unknown(transaction_id: str, rules: BusRules) -> NotFoundError:
    hours = rules.lasts_s / 3600
    return NotFoundError(
        f"no result {transaction_id} is kept for you; large results are kept for {hours:g} h"
        " (MESSAGE_BUS_TTL_HOURS). Send the call again under a new request_id",
        details={"transaction_id": transaction_id},
    )
