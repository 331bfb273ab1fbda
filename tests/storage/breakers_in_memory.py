"""The breakers that daemons share, in a dict: for tests and for the simulation, held by the same contract tests."""

from collections.abc import Callable, Mapping

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.shared.shared_breakers import BreakerNews


@structs.define
class _Row:
    open_until: float
    prober: str = ""
    probe_until: float = 0.0

    def told(self, daemon: str, now: float) -> float:
        if now < self.open_until:
            return self.open_until - now
        if self.prober == daemon and now < self.probe_until:
            return 0.0
        return max(0.1, self.probe_until - now)


@structs.define(eq=False)
class MemoryBreakers:
    """`away` are the daemons that it does not answer."""

    lease_s: float
    now: Callable[[], float] = trio.current_time
    rows: dict[str, _Row] = attrs.field(factory=dict[str, _Row])
    away: set[str] = attrs.field(factory=set[str])

    async def compare(self, daemon: str, news: BreakerNews) -> Mapping[str, float]:
        await trio.lowlevel.checkpoint()
        if daemon in self.away:
            raise StorageError("The database is away.")
        now = self.now()
        self.rows = {name: row for name, row in self.rows.items() if name not in news.closed}
        for name, open_s in news.opened.items():
            known = self.rows.get(name)
            self.rows[name] = _Row(max(now + open_s, known.open_until if known else 0.0))
        for name in news.wanted:
            row = self.rows.get(name)
            if row and now >= row.open_until and (row.prober == daemon or now >= row.probe_until):
                row.prober, row.probe_until = daemon, now + self.lease_s
        return {name: row.told(daemon, now) for name, row in self.rows.items()}
