"""A client's request to speak WebSocket: its head, whether it asks for that, and what it is answered. Pure: no trio, no clock, no I/O."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Final

import attrs
import h11

from exai_trio import structs

RawHeaders = tuple[tuple[bytes, bytes], ...]

_SALT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of every key (RFC 6455, 1.3)
_VERSION: Final = b"13"
_BAD_REQUEST, _OTHER_VERSION = 400, 426
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)


@structs.frozen(kw_only=True)
class Handshake:
    """What a client sent before the upgrade; header names are in lower case. `raw` has every header as it came."""

    path: str
    headers: Mapping[str, str]
    raw: RawHeaders = ()


@structs.define(eq=False)
class NoUpgrade(Exception):
    """What came asks for no WebSocket that we speak."""

    why: str
    status: int = _BAD_REQUEST


@structs.define(eq=False)
class UpgradeRequest:
    """One request. `rest` is what came behind its head."""

    rest: bytes = b""
    _key: bytes = b""
    _parser: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.SERVER))

    def feed(self, data: bytes) -> Handshake | None:
        """What it says, once its head is whole. Raises NoUpgrade."""
        try:
            self._parser.receive_data(data)
            event = self._parser.next_event()
        except h11.RemoteProtocolError as fault:
            raise NoUpgrade(f"it sent no HTTP request: {fault}") from fault
        if not isinstance(event, h11.Request):
            return None
        raw = tuple(event.headers)
        self._key = _key_of(event.method, {name: value for name, value in raw if value.isascii()})
        self.rest = self._parser.trailing_data[0]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        return Handshake(path=event.target.decode("ascii"), headers=headers, raw=raw)

    def acceptance(self) -> bytes:
        """The answer behind which frames are spoken; without extensions and subprotocols, whatever was offered."""
        return _ACCEPTED % b64encode(sha1(self._key + _SALT, usedforsecurity=False).digest())

    def refusal(self, status: int, text: bytes = b"") -> bytes:
        """The answer of a server that speaks no WebSocket with this client."""
        headers = [(b"content-length", b"%d" % len(text))]
        if status == _OTHER_VERSION:
            headers.append((b"sec-websocket-version", _VERSION))
        events = h11.Response(status_code=status, headers=headers), h11.Data(text), h11.EndOfMessage()  # fmt: skip
        return b"".join(filter(None, map(self._parser.send, events)))


def _key_of(method: bytes, headers: dict[bytes, bytes]) -> bytes:
    """Raises NoUpgrade."""
    asked = {word.strip().lower() for word in headers.get(b"connection", b"").split(b",")}
    if (
        method != b"GET"
        or b"upgrade" not in asked
        or headers.get(b"upgrade", b"").lower() != b"websocket"
    ):
        raise NoUpgrade("it sent no WebSocket handshake")
    version, key = headers.get(b"sec-websocket-version"), headers.get(b"sec-websocket-key")
    if version != _VERSION:
        raise NoUpgrade(
            "it speaks another version of WebSocket", _OTHER_VERSION if version else _BAD_REQUEST
        )
    if not key:
        raise NoUpgrade("its WebSocket handshake has no key")
    return key
