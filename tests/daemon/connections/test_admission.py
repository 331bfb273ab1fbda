"""Admission."""

import attrs
import pytest

from exai_trio.config import Config
from exai_trio.daemon.connections.admission import Admission

CONFIG = Config(max_connections=3, max_connections_per_ip=2)


def test_places_are_counted_by_address_and_given_back():
    """The third connection of one address is refused until one of its places is free."""
    admission = Admission(CONFIG)
    taken = [admission.take("192.0.2.1", 0.0) for _ in range(3)]
    admission.give_back("192.0.2.1")

    assert [None, None, "MAX_CONNECTIONS_PER_IP"] == taken
    assert admission.take("192.0.2.1", 0.0) is None


def test_the_addresses_of_one_ipv6_network_share_its_places():
    """A machine that has a whole /64 gets no more than one with a single address; its neighbour has places of its own."""
    admission = Admission(attrs.evolve(CONFIG, max_connections=9))
    taken = [admission.take(f"2001:db8:1:2::{n}", 0.0) for n in range(1, 4)]
    neighbour = admission.take("2001:db8:1:3::1", 0.0)
    admission.give_back("2001:db8:1:2::1")

    assert [None, None, "MAX_CONNECTIONS_PER_IP"] == taken
    assert neighbour is None
    assert admission.take("2001:db8:1:2:ffff::", 0.0) is None


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
    origin = Admission(CONFIG).origin(address)

    assert source == (origin and origin.address)


def test_loopback_has_only_the_limit_in_all():
    """Editors of this machine are not limited by address."""
    admission = Admission(CONFIG)

    assert [None, None, None, "MAX_CONNECTIONS"] == [
        admission.take("127.0.0.1", 0.0) for _ in range(4)
    ]


def test_places_forget_addresses():
    """Nothing is kept of an address that has no connection."""
    admission = Admission(CONFIG)
    admission.take("192.0.2.1", 0.0)
    admission.give_back("192.0.2.1")

    assert 0 == admission.total
    assert not admission.by_address
