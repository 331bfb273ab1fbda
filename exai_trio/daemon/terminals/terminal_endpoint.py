"""The WebSocket path /terminal: a first frame with a credential, then an attachment, or an answer."""

import logging
from collections.abc import Callable
from typing import Any

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError, UnauthorizedError
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallEnded
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.terminal.keeper_connection import KeeperGone
from exai_trio.terminal.keepers import Keepers
from exai_trio.terminal.session_policy import SCOPE, Visitor
from exai_trio.terminal.session_record import SessionRecord
from exai_trio.transport.websocket import NORMAL, WebSocket
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import (
    Attach,
    Create,
    Credential,
    First,
    Kill,
    ListSessions,
    Rename,
    is_session_id,
    read_first,
    said,
    told,
)

from ..connections.auth import Authentication, refused_alike
from ..connections.handshake import NO_HELLO
from ..connections.identity import Identity
from .attachment import Attachment
from .terminal_audit import TerminalAudit
from .terminal_gauges import attach_terminal_gauges
from .terminals import Terminals

log = logging.getLogger("exai.terminals")


def _nobody(_session: str) -> Identity | None:
    return None


@structs.define(eq=False)
class TerminalEndpoint:
    """Serves clients of terminals, one connection an attachment; `of_page` says whom a page's login stands for."""

    terminals: Terminals
    auth: Authentication
    now: Callable[[], float]
    of_page: Callable[[str], Identity | None] = _nobody

    @classmethod
    def of(
        cls, config: Config, auth: Authentication, now: Callable[[], float]
    ) -> "TerminalEndpoint":
        """Everything about the terminals of this home. Starts nothing."""
        audit = TerminalAudit.of(config.logs, now)
        keepers = Keepers(config.state / "terminals")
        return cls(Terminals(config=config, keepers=keepers, now=now, audit=audit), auth, now)

    async def run(  # noqa: ASYNC128 - hands task_status on
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Watch the sessions until cancelled; they live on. Started once those are found that earlier daemons left."""
        await self.terminals.run(task_status=task_status)

    def leave(self) -> None:
        """Clients are told to come back, and sessions go on."""
        self.terminals.leave()

    def watch_calls(self, events: EventHub) -> None:
        """From now on a flood is slower beside calls."""
        events.add("terminals", {CallEnded: self.terminals.pace.note_call})

    def attach_gauges(self, meters: Meters) -> None:
        """From now on the meters have the figures of terminals."""
        attach_terminal_gauges(meters, self.terminals)

    async def serve(self, socket: WebSocket, address: str) -> None:
        """One connection, to its end. Raises PeerGone. Cancelling leaves the session as it is."""
        counters = self.terminals.counters
        counters.connections += 1
        try:
            await self._serve(socket, address)
        except TerminalError as fault:
            refused = fault
        else:
            return
        finally:
            counters.connections -= 1
        counters.errors[refused.code] += 1
        self.terminals.audit.note("refused", code=refused.code, address=address)
        await socket.send(told("error", **refused.told()))
        await socket.close(refused.recovery.close_code or NORMAL, refused.message)

    async def create(self, identity: Identity, fields: dict[str, Any]) -> dict[str, Any]:
        """The record of a new session, for whoever was identified elsewhere. Raises TerminalError. Cancelling may leave it running."""
        wish = read_first(said("create", data=fields))
        assert isinstance(wish, Create)
        return _shown(await self.terminals.create(wish, _visitor(_scoped(identity))))

    async def _serve(self, socket: WebSocket, address: str) -> None:
        """Raises TerminalError or PeerGone."""
        first: First | None = None
        with trio.move_on_after(self.terminals.config.ws_hello_timeout):
            first = read_first(await socket.receive())
        if first is None:
            await socket.close(NO_HELLO, "hello timeout")
            return
        _check_id(first)
        identity = await self._identify(first, address)
        visitor = _visitor(identity)
        if isinstance(first, Attach):
            await self._attach(socket, first, identity, visitor, address)
        else:
            await socket.send(await self._answer(first, visitor))
            await socket.close()

    async def _identify(self, shown: Credential, address: str) -> Identity:
        """A terminal wants a credential of everybody, the daemon's own user included. Raises TerminalError."""
        if shown.session is not None:
            login = self.of_page(shown.session)
            if login is None:
                raise TerminalError("AUTH_ERROR", "this login is over; log in again")
            return _scoped(login)
        try:
            identity = await refused_alike(self.auth.recognize(shown.token, shown.jwt, address))
        except (UnauthorizedError, ServiceUnavailableError) as fault:
            self.auth.note_refusal(address)
            raise TerminalError("AUTH_ERROR", fault.message) from fault
        return _scoped(identity)

    async def _answer(self, first: First, visitor: Visitor) -> str:
        """Raises TerminalError."""
        match first:
            case Create():
                return told("created", session=_shown(await self.terminals.create(first, visitor)))
            case Rename(session_id=session_id, tab_name=name):
                return told(
                    "renamed",
                    session=_shown(await self.terminals.rename(session_id, name, visitor)),
                )
            case Kill(session_id=session_id):
                return told(
                    "killed", session=_shown(await self.terminals.close(session_id, visitor))
                )
            case ListSessions() | Attach():
                return told(
                    "sessions", sessions=[_shown(one) for one in self.terminals.list(visitor)]
                )

    async def _attach(
        self, socket: WebSocket, hello: Attach, identity: Identity, visitor: Visitor, address: str
    ) -> None:
        """Raises TerminalError or PeerGone."""
        began = trio.current_time()
        remembered = self.terminals.remembered(hello.session_id, visitor)
        if remembered is not None:
            await _tell_exit(socket, hello, remembered)
            return
        try:
            async with self.terminals.attach(hello.session_id, visitor) as keeper:
                await keeper.ask("attach", **_asked(hello))
                attachment = Attachment(
                    socket=socket,
                    keeper=keeper,
                    session_id=hello.session_id,
                    config=self.terminals.config,
                    identity=identity,
                    counters=self.terminals.counters,
                    leaving=self.terminals.leaving,
                    pace=self.terminals.pace,
                )
                await self._noted(attachment, hello, visitor, address, began)
        except KeeperGone as fault:
            raise TerminalError("CONNECTION_ERROR", "its keeper has hung up; try again") from fault

    async def _noted(
        self, attachment: Attachment, hello: Attach, visitor: Visitor, address: str, began: float
    ) -> None:
        """The attachment from its beginning to its end, both in the audit."""
        counters, note = self.terminals.counters, self.terminals.audit.note
        now = trio.current_time()
        counters.note_attach(hello.client_id, now - began, now, resumes=hello.offset is not None)
        facts: dict[str, Any] = {
            "session_id": hello.session_id,
            "principal": visitor.principal,
            "client_id": hello.client_id,
            "address": address,
        }
        note("attached", mode=hello.mode, **facts)
        try:
            await attachment.converse(self.now)
        finally:
            moved = {"bytes_out": attachment.bytes_out, "bytes_in": attachment.bytes_in}
            counters.bytes_out += attachment.bytes_out
            counters.bytes_in += attachment.bytes_in
            note("detached", **facts, **moved)


def _visitor(identity: Identity) -> Visitor:
    return Visitor(principal=identity.principal, is_admin=identity.is_admin)


def _scoped(identity: Identity) -> Identity:
    """Raises TerminalError if it may not have terminals."""
    if identity.objection is not None:
        raise TerminalError("NOT_ALLOWED", identity.objection.message)
    if identity.scopes is not None and SCOPE not in identity.scopes:
        raise TerminalError("NOT_ALLOWED", f"the JWT has no scope {SCOPE!r}")
    return identity


def _check_id(first: First) -> None:
    """Before anything is looked up. Raises TerminalError."""
    if isinstance(first, Attach | Rename | Kill) and not is_session_id(first.session_id):
        raise TerminalError("INVALID_SESSION_ID", "Invalid session ID format")


def _asked(hello: Attach) -> dict[str, Any]:
    kept = ("client_id", "offset", "cols", "rows", "mode")
    return {name: getattr(hello, name) for name in kept}


def _shown(record: SessionRecord) -> dict[str, Any]:
    return attrs.asdict(record)


async def _tell_exit(socket: WebSocket, hello: Attach, record: SessionRecord) -> None:
    """The session is gone, and its exit is known yet. Raises PeerGone."""
    offset = record.head if hello.offset is None else min(hello.offset, record.head)
    attached = told(
        "attached",
        session_id=record.session_id,
        type=record.type,
        tab_name=record.tab_name,
        offset=offset,
        head=record.head,
        taken=0,
        cols=record.cols,
        rows=record.rows,
        exit=record.exit,
    )
    gap = [told("gap", **{"from": offset, "to": record.head})] if offset < record.head else []
    await socket.send(attached, *gap, told("exited", **record.exit or {}))
    await socket.close(NORMAL, "the session is over")
