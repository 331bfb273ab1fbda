"""How large and how slow a WebSocket connection may be. Pure: no trio, no clock, no I/O."""

from exai_trio import structs


@structs.frozen(kw_only=True)
class Limits:
    """`max_bytes` for one message, `first_bytes` for the first of a client; `send_s` for a write of which nothing is taken, `close_s` for the closing handshake, both in seconds.

    At most `queue` messages wait unread, so a connection holds at most `queue` × `max_bytes`.
    """

    # replaced by the settings where a connection is made
    max_bytes: int = 33_554_432
    first_bytes: int = 65_536
    send_s: float = 10.0
    close_s: float = 1.0
    queue: int = 16
