"""A token that was rotated stays replaced, whatever the settings say at the next start."""

import attrs
import msgspec
import pytest

from exai_trio.access.shared_token import Rotation, read_rotation, rotation_file
from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.daemon.connections.identity import OWNER, Identity
from exai_trio.errors import ArgumentError, UnauthorizedError

OLD, NEW, NEWER, THIRD = (f"{name}-token-of-us-all" for name in ("old", "new", "newer", "third"))
BY = Identity("token", role="admin")


@attrs.define
class Disk:
    """A home whose disk the test can look at."""

    state: object
    token: str = ""

    async def replace_token(self, token):
        self.token = token

    async def keep_rotation(self, rotation: Rotation):
        rotation_file(self.state).write_bytes(msgspec.json.encode(rotation))


def taken(tokens) -> set[str]:
    return {one for one in (OLD, NEW, NEWER, THIRD) if tokens.by_token(one) is not None}


async def test_a_rotation_outlives_the_daemon(tmp_path):
    """Only hashes are kept; the replaced one is refused, a third one that is configured wins, and then the first rotation is forgotten."""
    home = Disk(tmp_path / "state")
    home.state.mkdir()
    config = Config(home=tmp_path, ws_token=OLD)
    first = Tokens(config, home)
    await first.rotate(OLD, NEW, BY)
    second = Tokens(config, home)
    found = [taken(first), taken(second)]
    await second.rotate(NEW, NEWER, BY)
    kept = rotation_file(home.state).read_text()
    starts = {
        token: taken(Tokens(attrs.evolve(config, ws_token=token), home))
        for token in (OLD, NEW, NEWER, THIRD)
    }

    assert [{NEW}, {NEW}] == found
    assert {OLD: {NEWER}, NEW: {NEWER}, NEWER: {NEWER}, THIRD: {THIRD}} == starts
    assert not [token for token in (OLD, NEW, NEWER) if token in kept]


async def test_the_homes_own_token_is_rotated_in_its_file(tmp_path):
    home = Disk(tmp_path, token=OLD)
    tokens = Tokens(Config(home=tmp_path), home)
    shown = tokens.by_token(OLD)
    await tokens.rotate(OLD, NEW, OWNER)

    assert (NEW, {NEW}) == (home.token, taken(tokens))
    assert shown.revoked.is_set()
    assert "owner" != shown.principal


async def test_what_the_disk_refuses_is_not_rotated(tmp_path):
    class Full(Disk):
        async def keep_rotation(self, rotation):
            raise OSError("no room")

    tokens = Tokens(Config(home=tmp_path, ws_token=OLD), Full(tmp_path))
    with pytest.raises(OSError, match="no room"):
        await tokens.rotate(OLD, NEW, BY)

    assert {OLD} == taken(tokens)
    with pytest.raises(UnauthorizedError):
        await tokens.rotate(NEW, NEWER, BY)


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path):
    """It may have replaced the token."""
    (tmp_path / "state").mkdir()
    rotation_file(tmp_path / "state").write_text("{")
    with pytest.raises(ArgumentError, match="cannot be read"):
        Tokens(Config(home=tmp_path, ws_token=OLD))

    assert read_rotation(tmp_path / "nowhere") is None
