"""A server's frames are those of wsproto, byte for byte."""

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from exai_trio.transport.websocket.outgoing_frames import unmasked


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_server_frames_its_messages_as_wsproto_does(size):
    """At each length that is written in another way; of a text it is the bytes that count."""
    server, data, text = Connection(ConnectionType.SERVER), b"\xff" * size, "é" * (size // 2)

    expected = server.send(BytesMessage(data=data)) + server.send(TextMessage(data=text))
    assert expected == unmasked([data, text])
