"""A client behind a balancer: it comes to any daemon, leaves it, and sends again what nobody has accepted."""

import random
from collections.abc import Callable

import attrs
import trio

from exai_trio.transport.websocket import PeerGone
from exai_trio.transport.websocket.connection_errors import Unreachable
from exai_trio.wire.codec import decode_daemon
from exai_trio.wire.messages import (
    Ack,
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    HelloAck,
)

from .judge import LONGEST_S, Judge, Seen

_MOST_OPEN = 4


@attrs.frozen
class Visit:
    """A connection to a daemon, and since when."""

    daemon: object
    since: float


@attrs.define(eq=False)
class Window:
    """One session, by the name that a daemon gave it last. `reachable` gives the daemons that a balancer would choose from."""

    name: str
    session: str = attrs.field(init=False)
    judge: Judge
    draw: random.Random
    reachable: Callable[[], list]
    asks: bool = True
    last_seq: int = 0
    number: int = 0
    visits: int = 0
    open: dict = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.session = self.name

    async def live(self) -> None:
        """Until cancelled."""
        while True:
            if daemons := self.reachable():
                try:
                    await self._visit(self.draw.choice(daemons))
                except* (PeerGone, Unreachable, trio.BrokenResourceError):
                    self.judge.count("cut")
            await trio.sleep(self.draw.uniform(0.1, 1.0))

    async def _visit(self, daemon) -> None:
        stay_s = self.draw.uniform(0.5, 25)
        with trio.move_on_after(stay_s):
            self.visits += 1
            opening = daemon.house.connect(
                session_id=self.session, last_seq=self.last_seq, visit=self.visits
            )
            async with opening as (client, ack), trio.open_nursery() as talking:
                if not (isinstance(ack, HelloAck) and ack.ok):
                    return  # it leaves, or cannot read the journal
                if not ack.resumed:
                    self.session, self.last_seq = ack.session_id, 0
                self.judge.count("resumed" if ack.resumed else "begun")
                visit = Visit(daemon, trio.current_time())
                talking.start_soon(self._hear, client, visit)
                await client.say(*[call for call in self.open.values() if self._unheard(call)])
                await self._ask(client)
        self.judge.count("moved")

    def _unheard(self, call: CallTool) -> bool:
        return not self.judge.calls[call.request_id].accepted

    async def _ask(self, client) -> None:
        while True:
            await trio.sleep(self.draw.uniform(0.1, 4))
            if self.asks and len(self.open) < _MOST_OPEN:
                await client.say(self._next())

    def _next(self) -> CallTool:
        self.number += 1
        mark, tool = f"{self.name}:{self.number}", self.draw.choice(["work", "once"])
        seconds = self.draw.choice([0.2, 2.0, 8.0, LONGEST_S])
        call = CallTool(request_id=mark, name=tool, arguments={"mark": mark, "seconds": seconds})
        self.open[mark] = call
        self.judge.calls[mark] = Seen(tool)
        return call

    async def _hear(self, client, visit: Visit) -> None:
        while True:
            heard = decode_daemon(await client.socket.receive())
            if heard.seq is not None and heard.seq <= self.last_seq:
                continue
            self.last_seq = heard.seq or self.last_seq
            match heard.message:
                case Bye(reason="superseded"):
                    self.judge.fail(f"{self.name} is sent away by a hello that it left")
                case CallAccepted(request_id=mark):
                    self.judge.calls[mark].accepted = True
                case (CallResult() | CallFailed()) as outcome:
                    self.open.pop(outcome.request_id, None)
                    code = "ok" if isinstance(outcome, CallResult) else outcome.error.code
                    self.judge.heard(outcome.request_id, outcome, code, visit)
                    if heard.seq is not None:
                        await client.say(Ack(seq=self.last_seq))
