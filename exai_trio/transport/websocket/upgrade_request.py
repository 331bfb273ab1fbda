"""A client's request to speak WebSocket, and what it is answered, by h11 and wsproto. Pure: no trio, no clock, no I/O."""

from collections.abc import Mapping
from typing import Final

import attrs
import h11
from wsproto import ConnectionType
from wsproto.events import AcceptConnection, Event, RejectConnection, RejectData
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from exai_trio import structs

RawHeaders = tuple[tuple[bytes, bytes], ...]

_NEEDED: Final = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version"}
)


@structs.frozen(kw_only=True)
class Handshake:
    """What a client sent before the upgrade; header names are in lower case. `raw` has every header as it came."""

    path: str
    headers: Mapping[str, str]
    raw: RawHeaders = ()


@structs.define(eq=False)
class NoUpgrade(Exception):
    """What came asks for no WebSocket that we speak; `answer` is what its client is sent."""

    why: str
    answer: bytes


@structs.define(eq=False)
class UpgradeRequest:
    """One request. `rest` is what came behind its head."""

    rest: bytes = b""
    _parser: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.SERVER))
    _handshake: H11Handshake = attrs.field(factory=lambda: H11Handshake(ConnectionType.SERVER))

    def feed(self, data: bytes) -> Handshake | None:
        """What it says, once its head is whole. Raises NoUpgrade."""
        try:
            self._parser.receive_data(data)
            event = self._parser.next_event()
            if not isinstance(event, h11.Request):
                return None
            self._handshake.receive_data(_plain(event))
        except h11.RemoteProtocolError as fault:
            raise self._no_upgrade(fault) from fault
        except RemoteProtocolError as fault:
            raise self._no_upgrade(fault, fault.event_hint) from fault
        raw = tuple(event.headers)
        self.rest = self._parser.trailing_data[0]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        return Handshake(path=event.target.decode("ascii"), headers=headers, raw=raw)

    def acceptance(self) -> bytes:
        """The answer behind which frames are spoken; without extensions and subprotocols, whatever was offered."""
        return self._handshake.send(AcceptConnection())

    def refusal(self, status: int, text: bytes) -> bytes:
        """The answer to a client that is not let in."""
        headers = [(b"content-length", b"%d" % len(text))]
        reject = RejectConnection(status_code=status, headers=headers, has_body=True)
        return self._handshake.send(reject) + self._handshake.send(RejectData(data=text))

    def _no_upgrade(self, fault: Exception, hint: Event | None = None) -> NoUpgrade:
        reject = hint if isinstance(hint, RejectConnection) else RejectConnection()
        return NoUpgrade(f"it sent no WebSocket handshake: {fault}", self._handshake.send(reject))


def _plain(request: h11.Request) -> bytes:
    """The request with what a handshake needs: wsproto decodes Host as IDNA, which may fail or take long, and other headers as
    ASCII."""
    needed = [(name, value) for name, value in request.headers if name in _NEEDED and value.isascii()]  # fmt: skip
    headers = [(b"host", b"localhost"), *needed]
    plain = h11.Request(method=request.method, target=request.target, headers=headers)
    return h11.Connection(h11.CLIENT).send(plain) or b""
