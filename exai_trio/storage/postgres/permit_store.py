"""Shares of permits in PostgreSQL, by the function that its schema has for them."""

import json
from collections.abc import Mapping

import attrs

from exai_trio import structs
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.shared.shared_permits import Dealt, LaneAsk, LaneShare


@structs.frozen
class PostgresPermits:
    """A share lasts `lease_s` by the database's clock."""

    database: Database
    lease_s: float

    async def share(self, daemon: str, asked: Mapping[str, LaneAsk]) -> Dealt:
        told = json.dumps({lane: attrs.asdict(ask) for lane, ask in asked.items()})
        statement = "select public.exai_share(%s, %s::jsonb, %s)"
        ((dealt,),) = await self.database.ask(statement, daemon, told, self.lease_s)
        lanes = {lane: LaneShare(**share) for lane, share in dealt["lanes"].items()}
        return Dealt(lanes=lanes, turn=dealt["turn"])
