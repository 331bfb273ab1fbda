"""Hosts, origins and places."""

import attrs
import pytest

from exai_trio.config import Config
from exai_trio.daemon.admission import OurNames, Places

CONFIG = Config(
    allowed_origins=("https://board.example",), max_connections=3, max_connections_per_ip=2
)


@pytest.mark.parametrize(
    ("host", "origin", "fine"),
    [
        ("localhost:8079", "", True),
        ("LOCALHOST", "", True),
        ("[::1]:8079", "", True),
        ("127.0.0.1:8079", "http://127.0.0.1:8080", True),
        ("127.0.0.1:8079", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8079", "http://127.0.0.1:3000", False),
        ("127.0.0.1:8079", "https://board.example", True),
        ("board.example", "https://board.example", True),
        ("127.0.0.1:8079", "https://board.example.evil", False),
        ("evil.example", "", False),
        ("", "", False),
        ("[::1", "", False),
        ("localhost.evil.example", "", False),
        ("127.0.0.1:8079", "null", False),
    ],
)  # fmt: skip
def test_only_our_hosts_and_allowed_origins(host, origin, fine):
    """A request is refused unless its Host is ours and its Origin absent, allowed or one of our pages."""
    headers = {"host": host} | ({"origin": origin} if origin else {})

    assert fine == (OurNames.of(CONFIG).objection(headers) is None)


def test_a_daemon_on_all_addresses_is_ours_under_the_address_it_was_reached_at():
    """0.0.0.0 is no name; the listening addresses that are given are."""
    names = OurNames.of(attrs.evolve(CONFIG, ws_host="0.0.0.0"), "192.0.2.7")  # noqa: S104 - compared, not bound

    assert names.objection({"host": "192.0.2.7:8079"}) is None
    assert names.objection({"host": "0.0.0.0:8079"}) is not None


def test_places_are_counted_by_address_and_given_back():
    """The third connection of one address is refused until one of its places is free."""
    places = Places(CONFIG)
    taken = [places.take("192.0.2.1", 0.0) for _ in range(3)]
    places.give_back("192.0.2.1")

    assert [None, None, "MAX_CONNECTIONS_PER_IP"] == taken
    assert places.take("192.0.2.1", 0.0) is None


def test_the_addresses_of_one_ipv6_network_share_its_places():
    """A machine that has a whole /64 gets no more than one with a single address; its neighbour has places of its own."""
    places = Places(attrs.evolve(CONFIG, max_connections=9))
    taken = [places.take(f"2001:db8:1:2::{n}", 0.0) for n in range(1, 4)]
    neighbour = places.take("2001:db8:1:3::1", 0.0)
    places.give_back("2001:db8:1:2::1")

    assert [None, None, "MAX_CONNECTIONS_PER_IP"] == taken
    assert neighbour is None
    assert places.take("2001:db8:1:2:ffff::", 0.0) is None


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", None),
        ("127.0.0.2", None),
        ("::ffff:127.0.0.1", None),
        ("localhost", None),
        ("gone", "gone"),
    ],
)  # fmt: skip
def test_rates_are_kept_for_what_one_machine_can_have(address, source):
    """An IPv4 address, the /64 of an IPv6 address, a name; nothing for this machine, however it is written."""
    origin = Places(CONFIG).origin(address)

    assert source == (origin and origin.address)


def test_loopback_has_only_the_limit_in_all():
    """Editors of this machine are not limited by address."""
    places = Places(CONFIG)

    assert [None, None, None, "MAX_CONNECTIONS"] == [
        places.take("127.0.0.1", 0.0) for _ in range(4)
    ]


def test_places_forget_addresses():
    """Nothing is kept of an address that has no connection."""
    places = Places(CONFIG)
    places.take("192.0.2.1", 0.0)
    places.give_back("192.0.2.1")

    assert 0 == places.total
    assert not places.by_address
