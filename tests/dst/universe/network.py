"""The network of the simulation: bytes in order, late, cut anywhere, lost without a word, or read slowly."""

import random
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.transport.websocket import Limits, Unreachable, WebSocket, client_on

ROOM = 65_536  # bytes on their way in one direction
DIAL_S = 3.0


@attrs.define(eq=False)
class Pipe:
    """One direction of one connection."""

    draw: random.Random
    slowest: float
    open_again: Callable[[], float]
    cut_after: int | None = None
    drip_s: float = 0.0
    mute: bool = False
    broken: bool = False
    ended: bool = False
    _chunks: deque[tuple[float, bytes]] = attrs.field(factory=deque)
    _held: int = 0
    _last_due: float = 0.0
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def send(self, data: bytes) -> bool:
        """False when the connection is to be cut after this."""
        await trio.lowlevel.checkpoint()
        while self._held > ROOM and not self.broken:
            await self._changed.wait()
        if self.broken:
            raise trio.BrokenResourceError("cut")
        if self.mute:
            return True
        whole = self.cut_after is None or self.cut_after >= len(data)
        self._put(data if whole else data[: self.cut_after])
        if self.cut_after is not None:
            self.cut_after -= len(data)
        return whole

    def _put(self, data: bytes) -> None:
        now = max(trio.current_time(), self.open_again())
        self._last_due = max(self._last_due, now + self.draw.uniform(0.0001, self.slowest))
        self._chunks.append((self._last_due, bytes(data)))
        self._held += len(data)
        self.change()

    async def receive(self, most: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.drip_s:
            await trio.sleep(self.drip_s)
        while not self._chunks or self._chunks[0][0] > trio.current_time():
            if self._chunks:
                await trio.sleep_until(self._chunks[0][0])
            elif self.broken:
                raise trio.BrokenResourceError("cut")
            elif self.ended:
                return b""
            else:
                await self._changed.wait()
        due, data = self._chunks.popleft()
        if len(data) > most:
            self._chunks.appendleft((due, data[most:]))
        self._held -= min(most, len(data))
        self.change()
        return data[:most]


@attrs.define(eq=False)
class End(trio.abc.Stream):
    """One end of a connection. `sending` is called in the middle of each send."""

    outgoing: Pipe
    incoming: Pipe
    closed: bool = False
    sending: Callable[[], None] | None = None

    async def send_all(self, data) -> None:
        if self.sending is not None:
            self.sending()
        if self.closed:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError
        if not await self.outgoing.send(bytes(data)):
            self.cut()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes=None) -> bytes:
        if self.closed:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError
        data = await self.incoming.receive(max_bytes or ROOM)
        if self.closed:
            raise trio.ClosedResourceError
        return data

    async def aclose(self) -> None:
        if not self.closed:
            self.closed = self.outgoing.ended = self.incoming.broken = True
            self.outgoing.change()
            self.incoming.change()
        await trio.lowlevel.checkpoint()

    def cut(self) -> None:
        for pipe in (self.outgoing, self.incoming):
            pipe.broken = True
            pipe.change()

    def fall_silent(self) -> None:
        """Half-open: nothing comes through any more, and nobody is told."""
        self.outgoing.mute = True


@attrs.define(eq=False)
class Network:
    """`listener` takes the daemon's ends while there is a daemon. `meanwhile` is done once, while a client sends the next time."""

    draw: random.Random
    note: Callable[[str], None]
    limits: Limits
    listener: Callable[[End], None] | None = None
    fair: bool = False
    meanwhile: Callable[[], None] | None = None
    parted_until: float = 0.0
    ends: list[tuple[End, End]] = attrs.field(factory=list)

    def part(self, seconds: float) -> None:
        self.note(f"partition for {seconds:.1f} s")
        self.parted_until = trio.current_time() + seconds

    def _open_again(self) -> float:
        return self.parted_until

    @asynccontextmanager
    async def dial(self) -> AsyncGenerator[WebSocket]:
        """A client's connection to whatever daemon there is."""
        async with client_on(await self._reach(), "localhost", self.limits) as socket:
            yield socket

    @asynccontextmanager
    async def dial_fair(self) -> AsyncGenerator[WebSocket]:
        """A connection that nothing happens to, but what happens to the daemon."""
        async with client_on(await self._reach(fair=True), "localhost", self.limits) as socket:
            yield socket

    async def _reach(self, *, fair: bool = False) -> End:
        await trio.sleep(self.draw.uniform(0.0001, 0.05))
        if self.parted_until > trio.current_time():
            await trio.sleep(DIAL_S)
            raise Unreachable("no answer")
        if self.listener is None:
            raise Unreachable("nobody listens")
        here, there = self._connection(fair=fair or self.fair)
        self.listener(there)
        return here

    def _connection(self, *, fair: bool) -> tuple[End, End]:
        slowest = self.draw.choice((0.001, 0.01, 0.2))
        up, down = (Pipe(self.draw, slowest, self._open_again) for _ in range(2))
        here, there = End(up, down, sending=self._sending), End(down, up)
        if not fair:
            self._draw_fate(here, there)
            self.ends = [pair for pair in self.ends if not pair[0].closed][-20:]
            self.ends.append((here, there))
        return here, there

    def _sending(self) -> None:
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()

    def _draw_fate(self, here: End, there: End) -> None:
        fate = self.draw.choice(("well",) * 4 + ("cut up", "cut down", "slow"))
        self.note(f"connection: {fate}")
        match fate:
            case "cut up":
                here.outgoing.cut_after = self.draw.randrange(5_000)
            case "cut down":
                there.outgoing.cut_after = self.draw.randrange(8_000)
            case "slow":
                here.incoming.drip_s = self.draw.uniform(0.01, 2.0)

    def between_daemons(self) -> tuple[End, End]:
        """A way from one process of the machine to another."""
        there, back = (Pipe(self.draw, 0.001, lambda: 0.0) for _ in range(2))
        return End(there, back), End(back, there)

    def cut_all(self) -> None:
        for here, _ in self.ends:
            here.cut()

    def silence(self) -> None:
        """The newest connection goes dead in one direction or both."""
        if self.ends:
            here, there = self.ends[-1]
            which = self.draw.choice(("up", "down", "both"))
            self.note(f"half-open {which}")
            if which != "down":
                here.fall_silent()
            if which != "up":
                there.fall_silent()
