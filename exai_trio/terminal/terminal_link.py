"""The client's end of a terminal: attach, show, type, and come back whenever the line or the daemon was away.

It alone reconnects: the daemon never does, and a keeper connects to nobody. Output is acknowledged when it is shown, and what was
typed is sent until it is taken, so that nothing is lost and nothing comes twice.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.system.change import Change
from exai_trio.system.exception_groups import first_of
from exai_trio.transport.client_auth import Credentials
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable, WebSocket
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import Mode, heard, said, typed

from .reconnect_rules import LASTING_S, ReconnectRules, look_s
from .terminal_view import Outcome, View
from .typed_keys import TypedKeys

log = logging.getLogger("exai.terminals")

_OFFSET: Final = 8  # bytes, before the output
_CONNECT_S: Final = 10.0
_GRAINS: Final = 1000  # of the jitter
_RESEND_S: Final = 0.2  # after the program had no room
_ACK_S: Final = 0.05  # so long what is shown waits for something to go with, unless it is much
_ACK_BYTES: Final = 32_768
_NEVER: Final = float("inf")
Dial = Callable[[], AbstractAsyncContextManager[WebSocket]]


class _Over(Exception):
    """The attachment is over."""


@structs.define(eq=False, kw_only=True)
class TerminalLink:
    """One attachment over many connections. `shown` is the first offset that is not shown, None before the first output."""

    dial: Dial
    credential: Callable[[WebSocket], Awaitable[Credentials]]
    session_id: str
    view: View
    size: tuple[int, int]
    mode: Mode = "rw"
    door: Callable[[], Awaitable[bool]] | None = None
    client_id: str = attrs.field(factory=lambda: secrets.token_hex(8))
    keys: TypedKeys = attrs.field(factory=TypedKeys)
    shown: int | None = None
    connections: int = 0
    rules: ReconnectRules = attrs.field(factory=ReconnectRules)
    outcome: Outcome | None = None
    _acked: int = 0
    _is_sized: bool = False
    _redraws: bool = False
    _exit: dict[str, Any] | None = None
    _asked_again: bool = False
    _resend_at: float = 0.0
    _ack_at: float = _NEVER
    _is_of_use: bool = False
    _attached_at: float = float("inf")
    _change: Change = attrs.field(factory=Change)

    # what the user does

    def type(self, data: bytes) -> bool:
        """Send it, now or once there is a connection; false if too much waits already."""
        is_kept = self.mode == "rw" and self.keys.add(data)
        self._change.tell()
        return is_kept

    def resize(self, cols: int, rows: int, *, redraw: bool = False) -> None:
        """The window has another size, or the program is to draw all again."""
        self.size, self._is_sized = (cols, rows), False
        self._redraws |= redraw
        self._change.tell()

    # the loop

    async def run(self) -> Outcome:
        """Attach, and come back without end, until the session or the attachment is over. Cancelling detaches."""
        while (outcome := self.outcome) is None:
            lost = await self._attempt()
            if self.outcome is None:
                self.rules.lost(was_of_use=self._is_of_use)
                if self.rules.begins_to_rest:  # once for each absence
                    log.info("terminal.reconnection.failed", extra=self.rules.told(str(lost)))
                await self._pause(lost)
        return outcome

    async def _attempt(self) -> Exception:
        """One connection, to its end, and why it ended."""
        self._is_of_use, self._attached_at = False, float("inf")
        lost: Exception = Unreachable(f"the daemon did not answer within {_CONNECT_S:g} s")
        try:
            with trio.CancelScope(relative_deadline=_CONNECT_S) as connecting:
                async with self.dial() as socket:
                    lost = await self._attachment(socket, connecting)
        except (PeerGone, Unreachable, TerminalError) as gone:
            lost = gone
        if isinstance(lost, TerminalError):
            self._note_refusal(lost)
        self._is_of_use |= trio.current_time() - self._attached_at >= LASTING_S
        return lost

    async def _attachment(self, socket: WebSocket, connecting: trio.CancelScope) -> Exception:
        """Why it is over: the connection's own nursery would wrap what is raised."""
        try:
            await self._attach(socket)
            connecting.deadline = float("inf")
            await self._converse(socket)
        except (PeerGone, TerminalError) as lost:
            return lost
        return PeerGone()

    def _note_refusal(self, fault: TerminalError) -> None:
        """Whether that is the end says the table of errors; a credential is fetched anew once."""
        action = fault.recovery.action
        is_first = action == "authenticate" and not self._asked_again
        if action != "retry" and not is_first:
            self.outcome = Outcome(kind="refused", fault=fault)
        self._asked_again |= is_first

    async def _attach(self, socket: WebSocket) -> None:
        """Raises PeerGone or TerminalError."""
        shown = await self.credential(socket)
        cols, rows = self.size
        hello = said(
            "hello",
            token=shown.token,
            jwt=shown.jwt,
            session_id=self.session_id,
            client_id=self.client_id,
            offset=self.shown,
            cols=cols,
            rows=rows,
            mode=self.mode,
        )
        await socket.send(hello)
        frame = await socket.receive()
        fields = heard(frame) if isinstance(frame, str) else {}
        match fields.get("op"):
            case "attached":
                self._note_attached(fields)
            case "error":
                raise TerminalError.of(fields)
            case _:
                raise PeerGone(reason=str(fields.get("reason", "it does not greet like a daemon")))

    def _note_attached(self, fields: dict[str, Any]) -> None:
        if fields["taken"] < self.keys.taken:
            self.client_id = secrets.token_hex(8)
            self.keys.renumber()
            raise PeerGone(reason="the keeper has forgotten what we typed")
        self.connections += 1
        self._attached_at = trio.current_time()
        shown: int = fields["offset"] if self.shown is None else self.shown
        self.shown = self._acked = shown
        self._is_sized, self._asked_again, self._ack_at = True, False, _NEVER
        self.keys.note_taken(fields["taken"])
        self.keys.send_again()
        self.view.back()

    async def _converse(self, socket: WebSocket) -> None:
        """Raises PeerGone or TerminalError, unless it is over."""
        lost: PeerGone | TerminalError | None = None
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(socket.relay, self._take)
                legs.start_soon(self._say, socket)
        except* _Over:
            lost = None
        except* (PeerGone, TerminalError) as group:
            lost = first_of(group)
        if self._exit is not None:  # all is shown, and at most our goodbye is lost
            self.outcome = Outcome(kind="exited", exit=self._exit)
        elif lost is not None:
            raise lost

    async def _pause(self, lost: Exception) -> None:
        """Until the next attempt is due, or somebody listens again where nobody did. What is typed meanwhile is kept."""
        wait_s = self.rules.wait_s(secrets.randbelow(_GRAINS) / _GRAINS)
        began = trio.current_time()
        looks = self.door is not None and isinstance(lost, NotListening)
        with trio.move_on_after(wait_s):
            await trio.lowlevel.checkpoint()
            while wait_s:
                self.view.away(str(lost), self.rules)
                await trio.sleep(look_s(trio.current_time() - began))
                if looks and self.door is not None and await self.door():
                    return

    # from the daemon

    async def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self._hear(heard(frame))
            return
        offset = int.from_bytes(frame[:_OFFSET], "big")
        if offset != self.shown:
            raise PeerGone(reason=f"output {offset} came, and {self.shown} is next")
        left = frame[_OFFSET:]
        while left:
            count = await self.view.show_some(left)
            self._note_shown(count)
            left = left[count:]

    def _note_shown(self, count: int) -> None:
        assert self.shown is not None
        self.shown += count
        self._is_of_use = True
        now = trio.current_time()
        is_much = self.shown - self._acked >= _ACK_BYTES
        self._ack_at = now if is_much else min(self._ack_at, now + _ACK_S)
        self._change.tell()

    def _hear(self, fields: dict[str, Any]) -> None:
        match fields.get("op"):
            case "taken":
                self.keys.note_taken(fields["n"])
                self._is_of_use = True
            case "gap":
                self.view.lost(fields["to"] - fields["from"])
                self.shown = fields["to"]
            case "resized":
                self.view.resized(fields["cols"], fields["rows"])
            case "exited":
                self._exit = {name: value for name, value in fields.items() if name != "op"}
            case "error":
                self._hear_error(fields)
            case "bye":
                self._hear_goodbye(str(fields.get("reason", "")))
            case _:
                return
        self._change.tell()

    def _hear_error(self, fields: dict[str, Any]) -> None:
        fault = TerminalError.of(fields)
        if fault.recovery.action == "resend":
            self.keys.send_again()
            self._resend_at = trio.current_time() + _RESEND_S
        else:
            self.view.refused(fault)

    def _hear_goodbye(self, reason: str) -> None:
        if reason == "superseded":
            self.outcome = Outcome(kind="superseded")
            raise _Over
        raise PeerGone(reason=reason)

    # to the daemon

    async def _say(self, socket: WebSocket) -> None:
        """Send what is due, until the exit is known here and there."""
        while True:
            now = trio.current_time()
            frames = self._due(now)
            if not frames:
                await self._wait_due(now)
                continue
            await socket.send(*frames)
            if self._exit is not None:
                raise _Over

    async def _wait_due(self, now: float) -> None:
        """Until something has happened, or its time has come."""
        resend_at = self._resend_at if self._resend_at > now else _NEVER
        with trio.move_on_at(min(self._ack_at, resend_at)):
            await self._change.wait()

    def _due(self, now: float) -> list[str]:
        """All that is to be said now, in one stretch."""
        frames: list[str] = []
        if not self._is_sized:
            cols, rows = self.size
            frames.append(
                said("resize", data={"cols": cols, "rows": rows, "redraw": self._redraws})
            )
            self._is_sized, self._redraws = True, False
        if now >= self._resend_at:
            frames += [typed(data, number) for number, data in self.keys.due()]
        is_due = bool(frames) or now >= self._ack_at
        is_new = self.shown is not None and self.shown > self._acked
        if self.shown is not None and ((is_due and is_new) or self._exit is not None):
            self._acked, self._ack_at = self.shown, _NEVER
            known = {"exited": True} if self._exit is not None else {}
            frames.append(said("ack", data={"offset": self.shown, **known}))
        return frames
