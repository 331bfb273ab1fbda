"""All sessions of the daemon: who may take which, and the nursery they live in."""

import re
import secrets

import attrs
import trio

from exai_trio.errors import ExaiError
from exai_trio.wire.messages import Hello

from .outbox import Outbox
from .session import Session, allowed_roots, new_rules
from .state import Shared

_OWN_ID = re.compile(r"^[A-Za-z0-9_-]{3,64}$")
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@attrs.define(eq=False)
class Sessions:
    """`living` is the nursery of the sessions; whoever opened it ends them."""

    shared: Shared
    living: trio.Nursery
    table: dict[str, Session] = attrs.field(factory=dict[str, Session])

    async def join(self, hello: Hello, principal: str, outbox: Outbox) -> tuple[Session, bool]:
        """The session that this client continues, or a new one; attached to `outbox`. True if it was continued."""
        known = self.table.get(hello.session_id or "")
        if known is not None and known.principal == principal:
            self._attach(known, hello, outbox, hello.last_seq)
            return known, True
        session = Session(
            self._new_id(hello.session_id), principal, self.shared, new_rules(self.shared)
        )
        self.table[session.id] = session
        self._attach(session, hello, outbox, 0)
        await self.living.start(self._live, session)
        return session, False

    def _attach(self, session: Session, hello: Hello, outbox: Outbox, last_seq: int) -> None:
        if hello.roots is not None:
            session.roots = allowed_roots(self.shared, hello.roots)
        session.attach(outbox, protocol=hello.protocol, last_seq=last_seq)

    def _new_id(self, wanted: str | None) -> str:
        if wanted is not None and _OWN_ID.match(wanted) and wanted not in self.table:
            return wanted
        letters = "".join(secrets.choice(_BASE36) for _ in range(25))
        return f"session_{self.shared.now() * 1000:.0f}_{letters}"

    async def _live(self, session: Session, task_status: trio.TaskStatus[None]) -> None:
        """Run the session's calls until it is abandoned; then nobody can join it, and its calls are cancelled."""
        self.shared.figures.sessions += 1
        try:
            async with trio.open_nursery() as running:
                session.begin(running)
                task_status.started()
                try:
                    await session.wait_abandoned()
                finally:
                    session.end()  # before the nursery closes: nothing can be started in a closed one
                    del self.table[session.id]
                running.cancel_scope.cancel(reason="the session's client did not come back")
        finally:
            self.shared.figures.sessions -= 1

    def outboxes(self) -> list[Outbox]:
        """Of all clients that are connected now."""
        return [session.outbox for session in self.table.values() if session.outbox is not None]

    def end_calls(self, why: ExaiError) -> None:
        for session in self.table.values():
            session.end_calls(why)
