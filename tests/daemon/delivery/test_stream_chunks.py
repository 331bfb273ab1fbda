"""What a tool says of its answer in one turn of the loop is one chunk."""

from itertools import pairwise

import trio

from exai_trio.daemon.delivery.stream_chunks import StreamChunks


async def test_what_comes_without_a_turn_of_the_loop_is_one_chunk(autojump_clock):
    """And what comes after it is another, with the next number."""
    told = []
    chunks = StreamChunks(lambda *chunk: told.append(chunk))
    for said in ("a", "b", "c"):
        chunks.add(said)
    assert [] == told
    await trio.sleep(1)
    chunks.add("d")
    await trio.sleep(1)

    assert [(0, "abc"), (1, "d")] == told


async def test_what_was_flushed_is_not_told_again(autojump_clock):
    """Nor is nothing a chunk."""
    told = []
    chunks = StreamChunks(lambda *chunk: told.append(chunk))
    chunks.flush()
    chunks.add("a")
    chunks.flush()
    chunks.flush()
    await trio.sleep(1)

    assert [(0, "a")] == told


async def test_half_characters_end_no_loop_and_two_halves_are_one(autojump_clock):
    """A half that stays alone is told as U+FFFD: no frame can hold it."""
    told = []
    chunks = StreamChunks(lambda _, text: told.append(text.encode()))
    grin = "\U0001f600".encode("utf-16-be")
    halves = [grin[at:end].decode("utf-16-be", "surrogatepass") for at, end in pairwise((0, 2, 4))]
    for half in halves:
        chunks.add(half)
    await trio.sleep(1)
    chunks.add(halves[0])
    await trio.sleep(1)

    assert ["\U0001f600".encode(), "\ufffd".encode()] == told


async def test_a_fault_in_telling_ends_neither_the_loop_nor_who_flushes(autojump_clock, caplog):
    """It is logged once, and nothing is told behind the hole: the outcome has the whole text."""
    told = []

    def tell(number, text):
        if text == "bad":
            raise ValueError(text)
        told.append((number, text))

    chunks = StreamChunks(tell)
    for said in ("good", "bad", "more"):
        chunks.add(said)
        await trio.sleep(1)
    chunks.add("bad")
    chunks.flush()

    assert [(0, "good")] == told
    assert 1 == len(caplog.records)
