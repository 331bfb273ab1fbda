"""Preparations of a call at the same time: neither waits for the other, and the first decides."""

import pytest
import trio

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.tools.asking.beside import beside


async def failing(fault):
    await trio.lowlevel.checkpoint()
    raise fault


async def one():
    await trio.lowlevel.checkpoint()
    return 1


async def test_they_run_at_the_same_time(autojump_clock):
    """Together they take as long as the longer one."""

    async def slow():
        await trio.sleep(1.0)
        return 2

    began = trio.current_time()
    first, second = await beside(slow, slow)

    assert (2, 2, 1.0) == (first, second(), trio.current_time() - began)


async def test_the_seconds_fault_counts_when_it_is_asked_for():
    """A thread that was answered already does not care for a file that is gone."""

    async def second():
        return await failing(NotFoundError("gone"))

    first, named = await beside(one, second)

    assert 1 == first
    with pytest.raises(NotFoundError):
        named()


async def test_the_firsts_fault_cuts_the_second(autojump_clock):
    async def first():
        return await failing(ArgumentError("no"))

    with pytest.raises(ArgumentError):
        await beside(first, trio.sleep_forever)
