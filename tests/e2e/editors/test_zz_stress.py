import os
import random
from functools import partial

import pytest
import trio

pytestmark = pytest.mark.real


@pytest.mark.timeout(300)
@pytest.mark.parametrize("k", range(8))
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_x(daemon, editor, until, k, mode):
    r = random.Random(k)
    for rr in range(3):
        async with editor(daemon.place, mode) as one:
            for i in range(8):
                since = await daemon.last_request()
                d = r.choice(["hang", "hang=2", "tokens=500 drip=0.02"])
                async with trio.open_nursery() as calls:
                    calls.start_soon(partial(one.call, "chat", prompt=f"[[simulate: {d}]]"))
                    await until(partial(daemon.requests, since))
                    await trio.sleep(r.random() * 0.03 * r.randrange(2))
                    calls.cancel_scope.cancel()
                try:
                    await until(daemon.idle, within=6)
                except AssertionError:
                    print(
                        "STUCK",
                        mode,
                        k,
                        rr,
                        i,
                        d,
                        await daemon.health(),
                        await daemon.simulator_state(),
                        await daemon.requests(since),
                    )
                    os._exit(1)
