"""The schema that a daemon meets: an older one is a fault, a newer one has what it needs."""

import pytest

from exai_trio.storage.postgres.shared_store import SharedStore


class Fine:
    """All is well with it."""

    fault = None

    def __init__(self, version=None):
        self.version = version


@pytest.mark.parametrize(("version", "is_fault"), [(None, False), (0, True), (11, True), (12, False), (13, False)])  # fmt: skip
def test_a_daemon_goes_on_while_the_database_is_migrated(version, is_fault):
    """Two versions serve at once; none starts on a newer schema."""
    parts = dict.fromkeys(("conversations", "threads", "journal", "calls", "permits", "breakers"))
    store = SharedStore(**parts, database=Fine(version), local=Fine(), needed=12)

    assert is_fault == (store.fault is not None)
