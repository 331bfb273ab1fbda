"""Leases, claims and sessions in PostgreSQL: one statement each, and a connection that listens."""

import logging
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import msgspec

from exai_trio import structs
from exai_trio.principals import names_of
from exai_trio.storage.journal import KeptCall, KeptOutcome
from exai_trio.storage.journal_events import Finished
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.event_writer import Entry
from exai_trio.storage.postgres.journal import PostgresJournal, open_call
from exai_trio.storage.postgres.trio_connection import TrioConnection, connect
from exai_trio.storage.shared.shared_calls import (
    LEASE_S,
    CallName,
    Compared,
    DaemonFacts,
    FinishedAs,
    Heard,
    KnownDaemon,
    Renewed,
    Said,
    SessionMoved,
    SharedCalls,
)

log = logging.getLogger("exai.cluster")

_EVERYBODY: Final = "*"
_NEWS: Final = "exai"  # the channel where daemons hear their names
_LONGEST: Final = 7_900  # bytes of a notification
_SAY: Final = """
    select pg_notify('exai ' || s.owner, said.text) from unnest(%s::text[], %s::text[]) as said(session, text)
    join public.sessions as s on s.id = said.session and s.owner <> %s
    join public.daemons as d on d.executor = s.owner and d.lease_until > clock_timestamp()
"""
_CLAIM: Final = (
    "select session, request, principal, resumable, seq, frame, roots, timeout, at, attempts, lasting"
    " from public.exai_claim(%s, %s, %s, %s, %s) order by number"
)


def _json(said: object) -> str:
    return msgspec.json.encode(said).decode()


@structs.frozen(eq=False)
class PostgresCalls(SharedCalls):
    """Of the daemon whose journal this is."""

    _database: Database
    _journal: PostgresJournal

    @property
    def answers_lost(self) -> int:
        return self._journal.answers_lost

    async def renew(self, facts: DaemonFacts, *, is_first: bool, draining: bool) -> Renewed:
        told = {
            "name": facts.name,
            "address": facts.address,
            "version": facts.version,
            "draining": draining,
        }
        ((result,),) = await self._database.ask(
            "select public.exai_renew(%s, %s, %s::jsonb, %s, %s)",
            facts.executor,
            facts.boot_id,
            _json(told),
            LEASE_S,
            is_first,
        )
        renewed: Renewed = result
        return renewed

    async def release(self, facts: DaemonFacts) -> None:
        await self._database.ask(
            "select public.exai_release(%s, %s)", facts.executor, facts.boot_id
        )

    async def claim(
        self, facts: DaemonFacts, *, others: bool, anew: bool, most: int
    ) -> tuple[KeptCall, ...]:
        rows = await self._database.ask(_CLAIM, facts.executor, facts.boot_id, others, anew, most)
        return tuple(open_call(row[0], row[1:]) for row in rows)

    async def take(
        self, facts: DaemonFacts, principal: str, session: str, held: int, visit: int
    ) -> int:
        ((epoch,),) = await self._database.ask(
            "select public.exai_take_for(%s, %s, %s, %s, %s)",
            facts.executor,
            [*names_of(principal)],
            session,
            held,
            visit,
        )
        if epoch is None:
            raise SessionMoved("The client has come to another daemon since.")
        return int(epoch)

    async def compare(
        self,
        facts: DaemonFacts,
        held: Mapping[str, int],
        running: Sequence[tuple[str, str, str]],
        waiting: Sequence[CallName],
    ) -> Compared:
        ((told,),) = await self._database.ask(
            "select public.exai_compare(%s, %s::jsonb, %s::jsonb, %s::jsonb)",
            facts.executor,
            _json(held),
            _json(running),
            _json(waiting),
        )
        return Compared(
            superseded=tuple(told["superseded"]),
            lost=tuple((session, request) for session, request in told["lost"]),
            stored={(session, request): frame for session, request, frame in told["stored"]},
        )

    async def finish(
        self, name: CallName, outcome: KeptOutcome, *, epoch: int, attempt: int
    ) -> FinishedAs:
        return await self._journal.finish_under(Entry(Finished(*name, outcome), epoch, attempt))

    def journal_of(self, session: str, epoch: int) -> PostgresJournal:
        return self._journal.under(session, epoch)

    @asynccontextmanager
    async def listening(self, facts: DaemonFacts) -> AsyncGenerator[Callable[[], Awaitable[Heard]]]:
        """By a connection of its own, which leaving or cancelling closes."""
        connection = await connect(self._database.url)
        try:
            for channel in (_NEWS, _said_to(facts.executor)):
                await connection.ask(f'listen "{channel}"', ())
            yield partial(_hear, connection, facts.executor)
        finally:
            connection.end()

    async def say(self, facts: DaemonFacts, said: Sequence[Said]) -> None:
        texts = [(one.name[0], _json(one)) for one in said]
        short = [(session, text) for session, text in texts if len(text.encode()) <= _LONGEST]
        sessions, frames = [one[0] for one in short], [one[1] for one in short]
        await self._database.ask(_SAY, sessions, frames, facts.executor)

    async def daemons(self) -> tuple[KnownDaemon, ...]:
        return await known_daemons(self._database)


async def known_daemons(database: Database) -> tuple[KnownDaemon, ...]:
    """Also those whose lease has ended. Raises StorageError; cancelling changes nothing."""
    rows: Sequence[Any] = await database.ask(
        "select name, executor, boot_id, address, version, draining, lease_s, running, owned"
        " from public.exai_daemons()"
    )
    return tuple(
        KnownDaemon(
            facts=DaemonFacts(
                name=name, executor=executor, boot_id=boot, address=address, version=version
            ),
            draining=draining,
            lease_s=lease_s,
            running=running,
            owned=owned,
        )
        for name, executor, boot, address, version, draining, lease_s, running, owned in rows
    )


def _said_to(executor: str) -> str:
    """The channel where a daemon hears what calls say."""
    return f"{_NEWS} {executor}"


async def _hear(connection: TrioConnection, mine: str) -> Heard:
    named = {(_NEWS, mine), (_NEWS, _EVERYBODY)}
    while True:
        told = await connection.notified()
        said = tuple(_said(text) for channel, text in told if channel == _said_to(mine))
        heard = Heard(is_news=bool(named & {*told}), said=tuple(filter(None, said)))
        if heard.is_news or heard.said:
            return heard


def _said(text: str) -> Said | None:
    """None of what another version says."""
    try:
        return msgspec.json.decode(text, type=Said)
    except msgspec.MsgspecError as fault:
        log.debug("what is said is not understood", extra={"fault": str(fault)})
        return None
