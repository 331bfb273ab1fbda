"""The outbox of a connection: order, dropping, fullness, farewell."""

import pytest
import trio

from exai_trio.daemon.delivery.outbox import Farewell, Outbox


@pytest.fixture
def outbox():
    return Outbox()


async def test_frames_are_taken_in_the_order_they_were_put(outbox, autojump_clock):
    """All that waits comes in one take."""
    for frame in "abc":
        outbox.put(frame)
    outbox.put_first("first")

    assert ["first", "a", "b", "c"] == await outbox.take()


async def test_what_may_be_dropped_is_dropped_and_counted_when_much_waits(outbox, autojump_clock):
    """Progress gives way to results once 256 KiB wait."""
    outbox.put("x" * 300_000)
    outbox.offer("progress")
    outbox.put("result")

    assert ["x" * 300_000, "result"] == await outbox.take()
    assert 1 == outbox.dropped


async def test_a_reader_waits_for_room_while_the_box_is_full(outbox, autojump_clock):
    """Over 4 MiB the reader pauses until the writer has taken."""
    outbox.put("x" * 5_000_000)
    order = []

    async def reader():
        await outbox.wait_room()
        order.append("room")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.sleep(1)
        order.append("taken")
        await outbox.take()

    assert ["taken", "room"] == order


async def test_a_reader_waits_again_when_the_box_is_full_again(outbox, autojump_clock):
    """It sleeps each time until there is room."""
    times = []

    async def reader():
        for _ in range(2):
            outbox.put("x" * 5_000_000)
            await outbox.wait_room()
            times.append(trio.current_time())

    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        for _ in range(2):
            await trio.sleep(1)
            await outbox.take()

    assert [begin + 1, begin + 2] == times


async def test_what_is_held_is_what_waits_and_twice_what_is_being_written(outbox, autojump_clock):
    """The writer has frames and their bytes, until it comes for more."""
    outbox.put_first("a" * 10)
    outbox.put("b" * 20)
    held = [outbox.held_bytes]
    await outbox.take()
    held.append(outbox.held_bytes)
    with trio.move_on_after(1):
        await outbox.take()
    held.append(outbox.held_bytes)
    outbox.put("c" * 5)
    outbox.expel(1.0)
    held.append(outbox.held_bytes)
    (last_words,) = await outbox.take()

    assert [30, 60, 0, len(last_words)] == held


async def test_a_writer_is_stuck_while_it_has_the_same_frames_in_hand(outbox, autojump_clock):
    """Since the moment at which it took them; one that has nothing to write never is."""
    begin = trio.current_time()
    outbox.put("a")
    untaken = outbox.is_stuck(begin + 9)
    await outbox.take()
    taken = (outbox.is_stuck(begin), outbox.is_stuck(begin - 1))
    with trio.move_on_after(1):
        await outbox.take()

    assert not untaken
    assert (True, False) == taken
    assert not outbox.is_stuck(begin + 9)


async def test_an_empty_closed_box_gives_nothing_for_ever(outbox, autojump_clock):
    """What was put before the farewell comes first; the first farewell counts."""
    outbox.put("last words")
    outbox.close(Farewell(1012, "draining"))
    outbox.close(Farewell(1000, "later"))

    assert [["last words"], [], []] == [await outbox.take() for _ in range(3)]
    assert Farewell(1012, "draining") == outbox.farewell


async def test_a_cancelled_take_loses_nothing(outbox, autojump_clock):
    """Frames put after it are there for the next take."""
    with trio.move_on_after(1):
        await outbox.take()
    outbox.put("a")

    assert ["a"] == await outbox.take()
