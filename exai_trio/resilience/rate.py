"""How often something may be done: a token bucket, and one for each of many names. Pure: no trio, no clock; `now` is handed in."""

from typing import Final

import attrs

from exai_trio import structs

MOST_NAMES: Final = 10_000  # buckets of about 200 bytes: 2 MB


@structs.frozen(kw_only=True)
class Rate:
    """`per_s` in the long run, and `burst` at once after a rest."""

    per_s: float
    burst: float


@structs.define
class Bucket:
    """Full at first. It is known by the moment at which it will be full again, which needs no refilling."""

    rate: Rate
    _full_at: float = float("-inf")

    def wait_s(self, now: float, cost: float = 1.0) -> float:
        """Seconds until `cost` can be taken without a debt; 0 if it can be now."""
        full_at = max(self._full_at, now) + cost / self.rate.per_s
        return max(0.0, full_at - now - self.rate.burst / self.rate.per_s)

    def take(self, now: float, cost: float = 1.0) -> None:
        """Take it, and be it a debt."""
        self._full_at = max(self._full_at, now) + cost / self.rate.per_s

    def is_full(self, now: float) -> bool:
        """Forgetting it now loses nothing."""
        return self._full_at <= now


@structs.define(repr=False)
class Buckets:
    """One for each name. Full ones are forgotten; where `most` names are not enough, those that come later share one."""

    rate: Rate
    most: int = MOST_NAMES
    _table: dict[str, Bucket] = attrs.field(factory=dict[str, Bucket])
    _others: Bucket = attrs.Factory(lambda self: Bucket(self.rate), takes_self=True)
    _swept_to: int = 0

    def __repr__(self) -> str:
        return f"<Buckets names={len(self)} of {self.most} per_s={self.rate.per_s}>"

    def __len__(self) -> int:
        return len(self._table)

    def of(self, name: str, now: float) -> Bucket:
        """The bucket of this name; to be asked for each time, since full ones are forgotten."""
        found = self._table.get(name)
        if found is not None:
            return found
        if len(self._table) >= min(self.most, 2 * self._swept_to + 16):
            self._sweep(now)
        if len(self._table) >= self.most:
            return self._others
        return self._table.setdefault(name, Bucket(self.rate))

    def _sweep(self, now: float) -> None:
        """Each time that the table has doubled: a constant share of what it cost to fill."""
        self._table = {name: one for name, one in self._table.items() if not one.is_full(now)}
        self._swept_to = len(self._table)
