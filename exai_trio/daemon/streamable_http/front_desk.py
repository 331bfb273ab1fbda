"""One HTTP client's front desk: what it posts becomes answers and calls, and what comes of them finds its stream."""

from collections.abc import Callable
from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.mcp.calls.bridge import Bridge
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.calls.open_calls import CALL, Requester, opened
from exai_trio.mcp.jsonrpc import Id, Message, Request
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import CancelCall, Effect, RootsChanged, Server, ToolListWanted
from exai_trio.mcp.tool_list import Listing
from exai_trio.mcp.versions import Dialect

from .event_ids import Place
from .http_exchange import Exchange
from .session_runner import BridgeRunner, SessionRunner

_KEPT_S: Final = 60.0  # an answer that nobody has heard whole, for who was cut off
_MOST_TOLD: Final = 256  # numbers of streams that were


@structs.define(eq=False)
class FrontDesk:
    """`name` makes the keys of its calls its own; `own` is the stream of what the server says unasked. `listing` is asked for when a
    list is wanted; `objection` says why its client may neither call nor cancel."""

    name: str
    runner: SessionRunner
    large: LargeResults
    listing: Callable[[], Listing | None]
    max_message: int
    exchanges: dict[Id, Exchange] = attrs.field(factory=dict[Id, Exchange])
    objection: ExaiError | None = None
    own: Exchange = attrs.field(factory=lambda: Exchange(None))
    _told: dict[Id, tuple[str, int]] = attrs.field(factory=dict[Id, tuple[str, int]])
    used_at: float = attrs.field(factory=trio.current_time)
    server: Server = attrs.field(init=False)
    bridge: Bridge = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.server = Server(self)
        runner = BridgeRunner(self.runner, lambda: self.bridge, lambda: self.objection)
        self.bridge = Bridge(self, runner, self.large, self.name, self.max_message)

    def __repr__(self) -> str:
        return f"<FrontDesk {self.name} {self.server!r} exchanges={len(self.exchanges)}>"

    @property
    def is_idle(self) -> bool:
        return not (self.exchanges or self.own.readers)

    # The sink of server and bridge

    def put(self, line: bytes, request: Id | None = None, *, progress: bool = False) -> None:
        exchange = self.exchanges.get(request) if request is not None else None
        if exchange is None:
            self._put_unasked(line)
        elif progress:
            exchange.put(line)
        else:
            exchange.end(line, trio.current_time())

    def _put_unasked(self, line: bytes) -> None:
        """Nobody hears it who has no stream for that."""
        if self.own.readers or self.own.id is not None:
            self.own.put(line)

    # What the client says

    def hear(self, message: Message, *, alone: bool = False) -> Exchange | None:
        """Take a message. Returns where the answer to a request will stand; None for all else, and for a request whose id is in
        use. `alone`: it is all that this client says, and what is said unasked is for it."""
        self.used_at = trio.current_time()
        self._forget_old()
        exchange = None
        if alone:
            self.server.listing = self.listing()
        if isinstance(message, Request):
            known = self.exchanges.get(message.id)
            if known is not None and not known.is_over:
                return None
            exchange = self.exchanges[message.id] = Exchange(message.id)
            self.own = exchange if alone else self.own
        for effect in self.server.hear(message):
            self._do(effect)
        if exchange is not None:
            self._name(exchange)
        return exchange

    def _name(self, exchange: Exchange) -> None:
        """By the call that the request became, if it became one."""
        assert exchange.id is not None
        call = self.bridge.calls.of(exchange.id)
        if call is not None:
            exchange.key, exchange.tool = call.key, call.message.name

    def _do(self, effect: Effect) -> None:
        match effect:
            case Call():
                self.bridge.start(effect, trio.current_time())
            case CancelCall():
                if self.objection is None:
                    self.bridge.withdraw(effect.id)
            case RootsChanged():
                session = self.runner.session
                session.roots = session.allowed(effect.paths)
            case ToolListWanted():
                self.offer_tools()

    def offer_tools(self) -> None:
        """Tell the tool list to whoever waits for it, or must hear that it has changed."""
        listing = self.listing()
        if listing is not None:
            self.server.offer(listing)

    def withdraw(self, exchange: Exchange) -> None:
        """Its client is gone, and that is the cancel."""
        assert exchange.id is not None
        if not exchange.is_over:
            self.bridge.withdraw(exchange.id)
        self.forget(exchange)

    # Streams that go on

    def resumed(self, place: Place, dialect: Dialect) -> Exchange | None:
        """The stream of this event, also of one that an earlier daemon began; None if it is not known, or that event is still to
        come."""
        self.used_at = trio.current_time()
        exchange = self.exchanges.get(place.id)
        if exchange is not None and exchange.key == place.key and not exchange.was_closed:
            return exchange if place.number <= exchange.last else None
        key, last = self._told.get(place.id, ("", 0))
        if key == place.key and place.number > last:
            return None
        if place.is_last:
            return Exchange(place.id, base=place.number, is_over=True)
        return self._rejoined(place, dialect)

    def _rejoined(self, place: Place, dialect: Dialect) -> Exchange | None:
        exchange = Exchange(place.id, place.key, place.tool, base=place.number)
        self.exchanges[place.id] = exchange
        self.bridge.calls.leave(place.id)
        now = trio.current_time()
        call = opened(_asked(place, dialect), place.key, None)
        call.accepted = True
        self.bridge.calls.add(call, Requester(place.id, dialect, None, float("inf"), began=now))
        if self.runner.rejoin(place.key, self.bridge):
            return exchange
        self.bridge.calls.leave(place.id)
        self.forget(exchange)
        return None

    def forget(self, exchange: Exchange) -> None:
        if exchange.id is not None and self.exchanges.get(exchange.id) is exchange:
            del self.exchanges[exchange.id]

    def told(self, exchange: Exchange) -> None:
        """It was written as far as it went. The answer of a call can be asked for again: the session has it."""
        if not exchange.is_over:  # another reads on
            return
        self.forget(exchange)
        if exchange.key and exchange.id is not None:
            self._told[exchange.id] = (exchange.key, exchange.last)
            if len(self._told) > _MOST_TOLD:
                del self._told[next(iter(self._told))]

    def _forget_old(self) -> None:
        old = trio.current_time() - _KEPT_S
        for exchange in list(self.exchanges.values()):
            if exchange.is_over and not exchange.readers and exchange.ended_at <= old:
                self.forget(exchange)

    def listen(self) -> Exchange:
        """A new stream of what is said unasked; the one before ends."""
        self.own.close(trio.current_time())
        self.own = Exchange(None)
        return self.own

    def close(self) -> None:
        """Every stream ends; who was cut off comes again."""
        now = trio.current_time()
        for exchange in [*self.exchanges.values(), self.own]:
            exchange.close(now)


def _asked(place: Place, dialect: Dialect) -> Call:
    """The call as far as it is still known: enough to tell how it ended."""
    return Call(
        id=place.id, name=place.tool, arguments=msgspec.Raw(b"{}"), dialect=dialect, method=CALL
    )
