"""What a proxy says before a connection's first byte is read as the PROXY protocol has it, or it is refused."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.transport.proxy_header import ProxyHeader, ProxyHeaderError, proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes([203, 0, 113, 9, 10, 0, 0, 1]) + b"\x01\xbb\x1f\x8f"
SIX = bytes.fromhex("20010db8000000000000000000000009") * 2 + b"\x01\xbb\x1f\x8f"


def binary(command=0x21, family=0x11, body=FOUR, length=None):
    size = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 443 8079\r\n", "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 443 8079\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 whatever it says 1 2 3\r\n", None),
        (binary(), "203.0.113.9"),
        (binary(family=0x21, body=SIX), "2001:db8::9"),
        (binary(body=FOUR + b"\x04\0\x03abc"), "203.0.113.9"),  # with more that it tells of itself
        (binary(command=0x20), None),  # it speaks for itself
        (binary(family=0x00, body=b""), None),
        (binary(family=0x31, body=bytes(216)), None),  # a socket file
    ],
)
def test_a_header_is_read_and_what_is_behind_it_is_not(said, address):
    assert ProxyHeader(len(said), address) == proxy_header(said + b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "said",
    [
        b"PROXY",
        b"PROXY \r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443 8079\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443 8079" + b" " * 100 + b"\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443 8079 1\r\n",
        b"PROXY TCP4  203.0.113.9 10.0.0.1 443 8079\r\n",
        b"PROXY TCP4 2001:db8::9 2001:db8::1 443 8079\r\n",
        b"PROXY TCP6 203.0.113.9 10.0.0.1 443 8079\r\n",
        b"PROXY UDP4 203.0.113.9 10.0.0.1 443 8079\r\n",
        b"PROXY TCP4 203.0.113.999 10.0.0.1 443 8079\r\n",
        b"PROXY TCP4 localhost 10.0.0.1 443 8079\r\n",
        b"PROXY TCP6 fe80::1%eth0 fe80::2 443 8079\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443 65536\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 -1 8079\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 443 \xb2\r\n",
        SIGNATURE[:5],
        SIGNATURE + b"\x21",
        binary(command=0x11),
        binary(command=0x22),
        binary(body=FOUR[:11]),
        binary(family=0x21),
        binary(length=500),
        binary(body=bytes(5000)),
    ],
)
def test_what_begins_as_a_header_and_is_none_is_refused(said):
    with pytest.raises(ProxyHeaderError):
        proxy_header(said)


@given(st.binary(max_size=60), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE]))
def test_any_bytes_are_a_header_or_none_or_refused(rest, begin):
    try:
        found = proxy_header(begin + rest)
    except ProxyHeaderError:
        return

    assert found is None or 0 < found.length <= len(begin + rest)


def test_what_clients_say_is_no_header():
    assert [None] * 4 == [proxy_header(said) for said in (b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"\x16\x03\x01", b"")]  # fmt: skip
