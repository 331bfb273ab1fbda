"""Turns: one at a time for each key, and nothing is left of them."""

import trio

from exai_trio.system.turns import Turns


async def test_one_at_a_time_for_each_key(autojump_clock):
    """Also after one that was cancelled while it waited; other keys wait for nobody."""
    turns, ended = Turns(), []

    async def work(key, comes_s, leaves_s):
        with trio.move_on_at(began + leaves_s):
            await trio.sleep_until(began + comes_s)
            async with turns.alone(key):
                await trio.sleep(1.0)
                ended.append((key, trio.current_time() - began))

    began = trio.current_time()
    async with trio.open_nursery() as working:
        for task in (("a", 0.0, 9.0), ("b", 0.0, 9.0), ("a", 0.1, 0.5), ("a", 0.2, 9.0)):
            working.start_soon(work, *task)

    assert [("a", 1.0), ("a", 2.0), ("b", 1.0)] == sorted(ended)
    assert "_locks={}" in repr(turns)
