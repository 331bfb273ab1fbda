"""The server's half of a WebSocket handshake: wsproto's, with the headers as they came. Which are allowed is not decided here."""

import h11
from wsproto import ConnectionType
from wsproto.events import RejectConnection, Request
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

BAD_REQUEST = 400


class Upgrade(H11Handshake):
    """`headers` are those of the request, names in lower case; empty until it is there."""

    def __init__(self) -> None:
        super().__init__(ConnectionType.SERVER)
        self.headers: tuple[tuple[bytes, bytes], ...] = ()

    def _process_connection_request(self, event: h11.Request) -> Request:
        """The library decodes Host as IDNA, which may fail or take long; it needs none of it."""
        self.headers = tuple(event.headers)
        others = [(name, value) for name, value in event.headers if name != b"host"]
        harmless = h11.Request(
            method=event.method,
            target=event.target,
            headers=[(b"host", b"localhost"), *others],
            http_version=event.http_version,
        )
        try:
            return super()._process_connection_request(harmless)
        except UnicodeError as fault:
            raise RemoteProtocolError(
                "a header is not ASCII", event_hint=RejectConnection(status_code=BAD_REQUEST)
            ) from fault
