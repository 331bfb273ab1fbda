"""Which directories of the client are named to a daemon."""

from exai_trio.shim.client_roots import sendable


def test_no_more_are_named_than_a_message_may_have():
    """The first ones."""
    paths = [f"/project/{number}" for number in range(300)]

    assert tuple(paths[:256]) == sendable(paths)
