"""A page of another site, by its own name or under a name of its own that points here, gets nothing from any of our ports."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exai_trio.config import Config
from exai_trio.wire.hosts import OurNames, host_of

CONFIG = Config(
    home=Path("/nowhere"),
    allowed_origins=("https://board.example", "http://plain.example:80", "null"),
    allowed_hosts=("exai.lan", "192.0.2.7", "2001:DB8::7"),
    health_check_port=8082,
    monitoring_port=8080,
)

OURS = [
    b"127.0.0.1:8079", b"127.0.0.1", b"localhost:8079", b"LOCALHOST", b"[::1]:8079", b"[::1]", b"[0:0:0:0:0:0:0:1]:1",
    b"exai.lan", b"EXAI.lan:80", b"192.0.2.7:65535", b"[2001:db8::7]:8079", b"board.example", b"[::ffff:127.0.0.1]",
]  # fmt: skip
FOREIGN = [
    b"evil.example", b"evil.example:8079", b"evil@127.0.0.1", b"127.0.0.1@evil.example", b"user:pw@127.0.0.1:8079", b"127.0.0.1/x",
    b"127.0.0.1:8079/", b"127.0.0.1:99999999", b"127.0.0.1:65536", b"127.0.0.1:0", b"127.0.0.1:", b"127.0.0.1:80:80", b"127.0.0.1:-1",
    b"127.0.0.1:8o79", b"127.0.0.1#x", b"127.0.0.1?x", b"127.0.0.1\\evil", b"127.0.0.1,evil.example", b"127.0.0.1 evil.example",
    b"http://127.0.0.1", b"//127.0.0.1", b"localhost.evil.example", b"127.0.0.1.evil.example", b"notlocalhost", b"localhost.",
    b"127.1", b"2130706433", b"0x7f.0.0.1", b"0.0.0.0", b"0", b"[::]", b"::1", b"[::1", b"[::1]x", b"[::1]:", b"[127.0.0.1]x", b"[]",
    b"*", b"%31%32%37.0.0.1", b"exai%2elan", b"exai.lan.", b"192.0.2.8", b"", b"a" * 5000, b"xn--e1afmkfd.evil",
]  # fmt: skip
NOT_ASCII = [
    "ｌｏｃａｌｈｏｓｔ".encode(),
    "127。0。0。1".encode(),
    b"\xff\xfe",
    "é.example".encode(),
]
HOSTS = [(host, 200) for host in OURS] + [(host, 403) for host in FOREIGN] + [(host, 400) for host in NOT_ASCII]  # fmt: skip
ORIGINS = [
    ((), True),
    ((b"http://127.0.0.1:8080",), True),
    ((b"https://evil.example",), False),
]
MORE_ORIGINS = [
    *ORIGINS,
    ((b"https://board.example",), True), ((b"https://board.example:443/",), True), ((b"http://plain.example",), True), ((b"null",), True),
    ((b"http://exai.lan:8082",), True), ((b"http://[::1]:8080",), True), ((b"HTTP://LOCALHOST:8080",), True), ((b"",), True),
    ((b"https://board.example.evil",), False), ((b"https://board.example@evil.example",), False), ((b"http://board.example",), False),
    ((b"https://board.example:8443",), False), ((b"http://127.0.0.1:3000",), False), ((b"http://127.0.0.1",), False),
    ((b"https://127.0.0.1:8080",), False), ((b"http://127.0.0.1:8080//",), False), ((b"http://192.0.2.8:8080",), False),
    ((b"https://board.example https://evil.example",), False), ((b"file://",), False), ((b"nullx",), False),
    ((b"http://127.0.0.1:8080", b"https://evil.example"), False), ((b"https://evil.example", b"http://127.0.0.1:8080"), False),
    ((b"http://127.0.0.1:8080", b"http://127.0.0.1:8080"), False), ((b"", b"https://evil.example"), False),
]  # fmt: skip
ROWS = [*product(HOSTS, ORIGINS), *(((b"127.0.0.1:8079", 200), origin) for origin in MORE_ORIGINS)]


def headers_of(host, origins):
    return [(b"host", host), *((b"origin", origin) for origin in origins)]


def expected_of(host_status, fine):
    return host_status if host_status != 200 else 200 if fine else 403


def test_the_table_has_two_hundred_rows():
    """The rows of the table below, which every port is asked."""
    assert 200 <= len(ROWS)


PORTS = ["websocket", "health", "pages", "simulator"]


@pytest.mark.parametrize("port", PORTS)
async def test_every_port_has_the_same_rule(port, listening, ask):
    """For each Host and Origin every port answers what the table says: its own answer, 403, or 400."""
    wrong = []
    async with listening(port, CONFIG) as door:
        for (host, host_status), (origins, fine) in ROWS:
            status, _ = await ask(door, *headers_of(host, origins))
            if status != expected_of(host_status, fine):
                wrong.append((host[:40], origins, status))

    assert [] == wrong


@pytest.mark.parametrize("port", PORTS)
async def test_no_host_and_two_hosts_are_refused(port, listening, ask):
    """HTTP wants exactly one, and two equal ones are two."""
    async with listening(port, CONFIG) as door:
        none, _ = await ask(door)
        two, _ = await ask(door, (b"host", b"127.0.0.1"), (b"Host", b"127.0.0.1"))

    assert (400, 400) == (none, two)


@pytest.mark.parametrize("port", PORTS)
async def test_a_host_beyond_ascii_costs_one_line_at_debug(port, listening, ask, caplog):
    """No traceback, whatever the bytes are, in the Host or beside it."""
    headers = [b"host", b"connection", b"sec-websocket-protocol", b"sec-websocket-extensions"]
    odd = [(name, value) for name in headers for value in (*NOT_ASCII, b"xn--" + b"9" * 3000)]
    with caplog.at_level("DEBUG", logger="exai"):
        async with listening(port, CONFIG) as door:
            caplog.clear()
            for name, value in odd:
                ours = () if name == b"host" else ((b"host", b"localhost"),)
                await ask(door, *ours, (name, value))
            said = [one for one in caplog.records if one.name.startswith("exai")]
    assert len(odd) >= len(said)
    assert not any(one.exc_info or one.levelname != "DEBUG" for one in said)


async def test_the_address_that_a_connection_came_in_on_is_ours(listening, ask):
    """A daemon on all addresses is found under each of them, and another address does not become ours by that."""
    everywhere = Config(home=Path("/nowhere"), ws_host="0.0.0.0", ws_token="16 letters of ours")  # noqa: S104 - for the test
    async with listening("websocket", everywhere) as door:
        here, _ = await ask(door, (b"host", b"127.0.0.9:8079"), to="127.0.0.9")
        page = ((b"host", b"127.0.0.9:8079"), (b"origin", b"http://127.0.0.9:8080"))
        with_page, _ = await ask(door, *page, to="127.0.0.9")
        elsewhere, _ = await ask(door, (b"host", b"127.0.0.9:8079"), to="127.0.0.8")
        nowhere, _ = await ask(door, (b"host", b"0.0.0.0:8079"))

    assert (200, 200, 403, 403) == (here, with_page, elsewhere, nowhere)


def test_rebinding_stays_refused_and_the_refusal_names_the_setting():
    """A foreign name is refused whatever address it came in on; the answer says what to set, in few characters."""
    refused = OurNames.of(CONFIG).refusal([(b"host", b"evil.example:8079")], "192.0.2.99")
    long = OurNames.of(CONFIG).refusal([(b"host", b"\x1b[31m" * 9000)])

    assert 403 == refused.status
    assert "'evil.example:8079'" in refused.text
    assert "EXAI_ALLOWED_HOSTS" in refused.text
    assert 600 > len(long.text)
    assert long.text.isprintable()


@given(st.text(st.characters(codec="ascii"), max_size=40), st.sampled_from(["127.0.0.1", "[::1]"]))
def test_nothing_but_a_host_and_its_port_is_a_host(text, ours):
    """Whatever stands before or behind our address, the whole is ours only if that is a port."""
    found = host_of(ours + text)

    is_port = (
        text[1:].isdigit() and text.startswith(":") and 0 < int(text[1:]) < 65536 and len(text) <= 6
    )
    assert (found in {"127.0.0.1", "::1"}) == (not text or is_port)
    assert host_of(text + ours) not in {"127.0.0.1", "::1"} or not text
