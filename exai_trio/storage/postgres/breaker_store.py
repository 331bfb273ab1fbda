"""Breakers of all daemons in PostgreSQL, by the function that its schema has for them."""

import json
from collections.abc import Mapping

from exai_trio import structs
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.shared.shared_breakers import BreakerNews


@structs.frozen
class PostgresBreakers:
    """A probe is one daemon's for `lease_s` by the database's clock."""

    database: Database
    lease_s: float

    async def compare(self, daemon: str, news: BreakerNews) -> Mapping[str, float]:
        opened, closed, wanted = map(json.dumps, (news.opened, news.closed, news.wanted))
        statement = "select public.exai_breakers(%s, %s::jsonb, %s::jsonb, %s::jsonb, %s)"
        ((found,),) = await self.database.ask(
            statement, daemon, opened, closed, wanted, self.lease_s
        )
        return {name: float(open_s) for name, open_s in found.items()}
