"""Lines between them: little fits into one, and it may be cut behind any byte."""

import attrs
import trio

from exai_trio.system.change import Change


@attrs.define(eq=False)
class Way:
    """One direction."""

    room: int
    data: bytearray = attrs.field(factory=bytearray)
    is_cut: bool = False
    is_closed: bool = False
    change: Change = attrs.field(factory=Change)


@attrs.define(eq=False)
class Line:
    """Two directions. Behind `budget` bytes, both ways together, it is cut: what was sent and not received is lost."""

    budget: float
    room: int = 4096
    there: Way = attrs.field(init=False)
    back: Way = attrs.field(init=False)
    heard: list = attrs.field(factory=list)

    def __attrs_post_init__(self):
        self.there, self.back = Way(self.room), Way(self.room)

    def cut(self):
        for way in (self.there, self.back):
            way.is_cut = True
            way.data.clear()
            way.change.tell()
        for tell in self.heard:
            tell()

    def put(self, way, data):
        """How many bytes it takes now."""
        if way.is_cut or way.is_closed:
            raise BrokenPipeError
        count = int(min(len(data), way.room - len(way.data), self.budget))
        way.data += data[:count]
        self.budget -= count
        way.change.tell()
        for tell in self.heard:
            tell()
        if self.budget <= 0:
            self.cut()
        return count

    def take(self, way, most):
        found = bytes(way.data[:most])
        del way.data[: len(found)]
        way.change.tell()
        for tell in self.heard:
            tell()
        return found

    def ends(self):
        return End(self, self.there, self.back), End(self, self.back, self.there)


@attrs.define(eq=False)
class End(trio.abc.Stream):
    """One end as a stream of trio's."""

    line: Line
    outward: Way
    inward: Way

    async def send_all(self, data):
        await trio.lowlevel.checkpoint()
        left = bytes(data)
        while left:
            try:
                count = self.line.put(self.outward, left)
            except BrokenPipeError as fault:
                raise trio.BrokenResourceError from fault
            left = left[count:]
            if left and not count:
                await self.outward.change.wait()

    async def wait_send_all_might_not_block(self):
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes=None):
        await trio.lowlevel.checkpoint()
        while not self.inward.data:
            if self.inward.is_cut:
                raise trio.BrokenResourceError
            if self.inward.is_closed:
                return b""
            await self.inward.change.wait()
        return self.line.take(self.inward, max_bytes or 65536)

    async def aclose(self):
        self.outward.is_closed = True
        self.outward.change.tell()
        self.inward.is_cut = True
        self.inward.change.tell()
        for tell in self.line.heard:
            tell()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class SocketEnd:
    """One end as a socket that does not block, which is what a keeper has."""

    end: End

    def recv(self, most):
        way = self.end.inward
        if way.data:
            return self.end.line.take(way, most)
        if way.is_cut:
            raise ConnectionResetError
        if way.is_closed:
            return b""
        raise BlockingIOError

    def send(self, data):
        count = self.end.line.put(self.end.outward, bytes(data))
        if not count:
            raise BlockingIOError
        return count
