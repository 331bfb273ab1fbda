"""Who may read the HTTP side."""

import pytest
from starlette.requests import Request

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.daemon.http.site import AccessRule
from exai_trio.wire.hosts import OurNames


def request(client, **headers):
    sent = {"host": "127.0.0.1:8082"} | headers
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return Request({"type": "http", "client": (client, 1), "headers": raw})


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request("127.0.0.1"), None),
        (request("::1"), None),
        (request("192.0.2.1"), 401),
        (request("192.0.2.1", authorization="Bearer wrong"), 401),
        (request("192.0.2.1", authorization="Bearer a-token-of-ours"), None),
        (request("127.0.0.1", host="evil.example"), 403),
        (request("127.0.0.1", origin="https://evil.example"), 403),
    ],
)
def test_loopback_reads_freely_others_need_the_token(asked, status):
    """Foreign hosts and origins are refused whoever asks."""
    config = Config(ws_token="a-token-of-ours")
    refusal = AccessRule(None, OurNames.of(config), Tokens(config)).refusal(asked)

    assert status == (refusal.status_code if refusal else None)
