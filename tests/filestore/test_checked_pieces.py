"""Pieces that are checked before they are handed on."""

from functools import partial
from io import BytesIO

import attrs
import pytest
import trio

from exai_trio.errors import ArgumentError, StorageError
from exai_trio.filestore import checked_pieces as module
from exai_trio.filestore.checked_pieces import checked_pieces

CONTENT = b"0123456789abcdef"


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 3)


@attrs.define
class Checks:
    """Which pieces were told, in order, and which were looked at; `bad` is refused."""

    bad: bytes = b"-"
    told: list = attrs.field(factory=list)
    seen: set = attrs.field(factory=set)

    def check(self, piece):
        self.told.append(piece)
        return partial(self._look, piece)

    def _look(self, piece):
        self.seen.add(piece)
        if piece == self.bad:
            raise ArgumentError("a secret")


async def read(checks, content=CONTENT, got=None):
    """The pieces, also those that came before a fault."""
    got = [] if got is None else got
    limiter = trio.CapacityLimiter(4)
    async with checked_pieces(BytesIO(content), limiter, checks.check) as pieces:
        async for piece in pieces:
            assert piece in checks.seen
            got.append(piece)
    return got


@pytest.mark.parametrize("length", [0, 1, 3, 7, 16])
async def test_all_come_in_order_and_checked(length):
    checks = Checks()
    got = await read(checks, CONTENT[:length])

    assert (CONTENT[:length], got) == (b"".join(got), checks.told)


@pytest.mark.parametrize("bad", [b"012", b"678", b"f"])
async def test_a_piece_that_is_refused_is_not_handed_on(bad):
    """Nor what comes behind it."""
    got = []
    with pytest.raises(ArgumentError, match="a secret"):
        await read(Checks(bad), got=got)

    assert CONTENT[: CONTENT.index(bad)] == b"".join(got)


async def read_and_fail():
    limiter = trio.CapacityLimiter(4)
    async with checked_pieces(BytesIO(CONTENT), limiter, Checks().check) as pieces:
        await anext(pieces)
        raise StorageError("full")


async def test_what_goes_wrong_with_who_reads_leaves_as_it_is():
    with pytest.raises(StorageError, match="full"):
        await read_and_fail()
