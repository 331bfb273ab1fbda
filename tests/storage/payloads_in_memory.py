"""Rows of large results that are forgotten, and what the audit has of them."""

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.contracts.stored_payloads import KEPT, PayloadStatus, StoredPayload


@structs.define
class MemoryPayloads:
    """StoredPayloads as a dict. `audit` has what became of which."""

    _rows: dict[str, StoredPayload] = attrs.field(factory=dict[str, StoredPayload])
    _expired_at: dict[str, float] = attrs.field(factory=dict[str, float])
    audit: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])

    async def begin(self, payload: StoredPayload, most_bytes: int) -> bool:
        await trio.lowlevel.checkpoint()
        held = sum(row.stored_bytes for row in self._rows.values() if row.status != "expired")
        if held + payload.stored_bytes > most_bytes:
            return False
        self._put(payload, "pending")
        return True

    async def finish(self, payload: StoredPayload, now: float) -> bool:
        await trio.lowlevel.checkpoint()
        known = self._rows.get(payload.transaction_id)
        if known is None or known.status != "pending":
            return False
        self._put(payload, "stored")
        return True

    async def find(self, transaction_id: str, principal: str, now: float) -> StoredPayload | None:
        await trio.lowlevel.checkpoint()
        row = self._rows.get(transaction_id)
        ours = row is not None and row.principal == principal and row.status in KEPT
        return row if row is not None and ours and row.expires_at > now else None

    async def deliver(self, transaction_id: str, now: float) -> None:
        await trio.lowlevel.checkpoint()
        row = self._rows.get(transaction_id)
        if row is not None and row.status == "stored":
            self._put(attrs.evolve(row, delivered_at=now), "delivered")

    async def expire(
        self, transaction_ids: tuple[str, ...], now: float, why: str, *, if_pending: bool = False
    ) -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        rows = [self._rows[one] for one in transaction_ids if one in self._rows]
        due = [row for row in rows if row.status == "pending" or (row.status in KEPT and not if_pending)]  # fmt: skip
        for row in due:
            self._put(row, "expired", f"expired: {why}")
            self._expired_at[row.transaction_id] = now
        return tuple(row.transaction_id for row in due)

    async def due(self, now: float, most: int) -> tuple[StoredPayload, ...]:
        rows = await self.all()
        living = [row for row in rows if row.status != "expired"]
        over = [row for row in living if row.expires_at <= now or row.status == "pending"]
        return tuple(over[:most])

    async def forget(self, before: float, most: int) -> int:
        await trio.lowlevel.checkpoint()
        old = [one for one, at in self._expired_at.items() if at < before][:most]
        for one in old:
            del self._rows[one], self._expired_at[one]
        return len(old)

    async def all(self) -> tuple[StoredPayload, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(sorted(self._rows.values(), key=lambda row: row.created_at))

    def _put(self, row: StoredPayload, status: PayloadStatus, why: str = "") -> None:
        self._rows[row.transaction_id] = attrs.evolve(row, status=status)
        self.audit.append((row.transaction_id, why or status))
