"""What refused clients leave behind: nothing that waits for the garbage collector, whose pauses all others would share."""

import gc
from contextlib import contextmanager
from types import FrameType

import jwt
import pytest
import trio

SECRET = "a shared secret of at least 32 bytes"
WRONG = jwt.encode({"sub": "ann", "exp": 2_000_000_000}, SECRET + "!")
ENDED = jwt.encode({"sub": "ann", "exp": 1_000_000_000}, SECRET)


@contextmanager
def _garbage():
    """The list has what was made in the block and only the garbage collector can free."""
    gc.collect()
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    found = []
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize(
    "shown", [{}, {"token": "wrong"}, {"token": "t" * 9000}, {"jwt": WRONG}, {"jwt": ENDED}]
)
async def test_a_refusal_leaves_no_circle_of_frames(house, autojump_clock, shown):
    """A fault that is kept in a variable of a function it went through keeps that function's frame, and with it the connection."""
    async with house(jwt_secret_key=SECRET) as daemon:
        with _garbage() as garbage:
            async with daemon.connect(**shown) as (_, ack):
                pass
            await trio.sleep(2)
        frames = {one.f_code.co_qualname for one in garbage if isinstance(one, FrameType)}

    assert not ack.ok
    assert set() == {name for name in frames if not name.startswith("test_")}
