"""One question over HTTP, before a server that says what a test has written."""

import pytest
import trio
from trio.testing import memory_stream_pair

from exai_trio.transport import loopback_get
from exai_trio.transport.loopback_get import Got, NoHttp, get, post


@pytest.fixture
def answering(monkeypatch):
    """Let the server say this, in pieces, and end; what it was asked is in the list."""

    def plant(*pieces):
        near, far = memory_stream_pair()
        asked = []

        async def opened(host, port):
            asked.append((host, port))
            return near

        async def sent(data):
            asked.append(data)
            for piece in pieces:
                await far.send_all(piece)
            await far.send_eof()

        near.send_stream.send_all = sent
        monkeypatch.setattr(trio, "open_tcp_stream", opened)
        return asked

    return plant


async def test_an_answer_comes_whole_however_it_is_cut(answering):
    asked = answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No", b"\r\nContent-Length: 4\r\n\r\nno", b"ne"
    )

    assert Got(status=404, body=b"none") == await get("::1", 80, "/x", key="k")
    place, text = asked
    assert ("::1", 80) == place
    assert text.startswith(b"GET /x HTTP/1.1\r\nHost: [::1]:80\r\n")
    assert b"Authorization: Bearer k\r\n" in text


async def test_json_is_sent_along(answering):
    asked = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert Got(status=200, body=b"") == await post("127.0.0.1", 80, "/x", b"{}")
    assert asked[1].startswith(b"POST /x ")
    assert asked[1].endswith(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    "pieces",
    [(), (b"SSH-2.0 here\r\n\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno",)],
    ids=["nothing", "another protocol", "cut"],
)
async def test_what_is_no_answer_is_told(answering, pieces):
    answering(*pieces)
    with pytest.raises(NoHttp):
        await get("127.0.0.1", 80, "/")


async def test_an_answer_that_does_not_end_is_given_up(answering, monkeypatch):
    monkeypatch.setattr(loopback_get, "MOST_BYTES", 9)
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"x" * 20)
    with pytest.raises(NoHttp, match="does not end"):
        await get("127.0.0.1", 80, "/")
