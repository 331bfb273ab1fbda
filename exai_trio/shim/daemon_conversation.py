"""What is said on one connection to the daemon, after its hello: who reads, who writes, and when it is left."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.transport.websocket import PeerGone, WebSocket
from exai_trio.wire.codec import WireError, decode_daemon, encode
from exai_trio.wire.messages import Ack, Bye, ClientMessage, ListTools, ToolList, ToolsChanged

from .calls.relay import Relay
from .close_reasons import NO_ANSWER, Departing
from .received_frames import ReceivedFrames
from .tool_list_cache import ToolListCache

log = logging.getLogger("exai.shim")

_CLOSES_S: Final = 2.0  # after its drain a daemon has closed


@structs.define(eq=False)
class Conversation:
    """`bye` is the goodbye of a daemon that still owes us results; `brought` is whether anything came that was waited for.
    `wait_room` waits for the client to take what the daemon sent."""

    ws: WebSocket
    config: Config
    relay: Relay
    tool_list: ToolListCache
    received: ReceivedFrames
    wait_room: Callable[[], Awaitable[None]]
    bye: Bye | None = None
    brought: bool = False
    _list_wanted: bool = True
    _stay: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def __repr__(self) -> str:
        leaving = "" if self.bye is None else f" until {self.bye.reason}"
        return f"<Conversation {self.relay.session_id or 'unproven'}{leaving} {self.received!r}>"

    async def run(self, proven: Callable[[], None]) -> None:
        """Talk until the connection ends; `proven` is called when a ping has come back, and then calls are sent.

        Returns when a daemon that drains has had its time. Raises Departing, PeerGone. Cancelling may cut a frame: the connection is
        good for nothing then, and what was not acknowledged comes again on the next.
        """
        with self._stay:
            async with trio.open_nursery() as legs:
                legs.start_soon(self.ws.relay, self._receive)
                legs.start_soon(self._acknowledge)
                await self._prove(self.config.ws_ping_validation_timeout)
                proven()
                legs.start_soon(self._write)
                while True:
                    await trio.sleep(self.config.ws_ping_interval)
                    await self._prove(self.config.ws_ping_timeout)

    async def _prove(self, seconds: float) -> None:
        if not await self.ws.answers_ping(seconds):
            raise PeerGone(reason=NO_ANSWER)

    # What comes

    async def _receive(self, frame: str | bytes) -> None:
        await self._hear(frame)
        await self.wait_room()

    async def _hear(self, frame: str | bytes) -> None:
        try:
            heard = decode_daemon(frame)
        except WireError as fault:
            log.warning("frame not understood", extra={"fault": str(fault), "op": fault.op})
            return
        if heard.seq is not None:
            if not self.received.note(heard.seq):
                return
            self.brought = True
        match heard.message:
            case ToolList():
                await self._take_tools(heard.message)
            case ToolsChanged():
                self._list_wanted = True
                self.relay.work.set()
            case Bye():
                self._heed(heard.message)
            case _:
                self.relay.deliver(heard.message)
                self._leave_drained()

    def _heed(self, bye: Bye) -> None:
        """Leave a daemon that says goodbye; one that drains, and is not replaced yet, is heard out."""
        drains = bye.reason == "draining" and bye.retry_after_s > 0
        if not (drains and self.relay.dispatch.runs_any):
            raise Departing(bye)
        self.bye = bye
        self.relay.daemon.leaving = True
        self._stay.deadline = trio.current_time() + self.config.drain_s + _CLOSES_S

    def _leave_drained(self) -> None:
        if self.bye is not None and not self.relay.dispatch.runs_any:
            raise Departing(self.bye)

    async def _take_tools(self, message: ToolList) -> None:
        listing = self.tool_list.from_daemon(message.tools)
        if listing is not None:
            await trio.to_thread.run_sync(self.tool_list.keep, listing)

    # What goes

    async def _acknowledge(self) -> None:
        """See to it that what came is acknowledged soon; the writer sends it."""
        while True:
            await self.received.wait_due()
            self.relay.work.set()

    async def _write(self) -> None:
        while True:
            await self.relay.work.wait()
            self.relay.work = trio.Event()
            frames = [encode(message) for message in self._due()]
            if frames:
                await self.ws.send(*frames)

    def _due(self) -> list[ClientMessage]:
        due: list[ClientMessage] = []
        if self._list_wanted:
            self._list_wanted = False
            due.append(ListTools(request_id="tools"))
        acked = self.received.take()
        if acked:
            due.append(Ack(seq=acked, handles=self.relay.take_handles()))
        due += self.relay.take()
        return due
