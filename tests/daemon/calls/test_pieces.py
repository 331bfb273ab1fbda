"""Pieces of an answer that come at one moment are handed on as one."""

from itertools import pairwise

import trio

from exai_trio.daemon.calls.pieces import Pieces


async def test_what_comes_without_a_turn_of_the_loop_is_one_piece(autojump_clock):
    """And what comes after it is another, with the next number."""
    told = []
    pieces = Pieces(lambda *piece: told.append(piece))
    for said in ("a", "b", "c"):
        pieces.add(said)
    assert [] == told
    await trio.sleep(1)
    pieces.add("d")
    await trio.sleep(1)

    assert [(0, "abc"), (1, "d")] == told


async def test_what_is_asked_for_now_is_not_told_again(autojump_clock):
    """Nor is nothing a piece."""
    told = []
    pieces = Pieces(lambda *piece: told.append(piece))
    pieces.now()
    pieces.add("a")
    pieces.now()
    pieces.now()
    await trio.sleep(1)

    assert [(0, "a")] == told


async def test_half_characters_end_no_loop_and_two_halves_are_one(autojump_clock):
    """A half that stays alone is told as U+FFFD: no frame can hold it."""
    told = []
    pieces = Pieces(lambda _, text: told.append(text.encode()))
    grin = "\U0001f600".encode("utf-16-be")
    halves = [grin[at:end].decode("utf-16-be", "surrogatepass") for at, end in pairwise((0, 2, 4))]
    for half in halves:
        pieces.add(half)
    await trio.sleep(1)
    pieces.add(halves[0])
    await trio.sleep(1)

    assert ["\U0001f600".encode(), "\ufffd".encode()] == told


async def test_a_fault_in_telling_ends_no_loop(autojump_clock, caplog):
    """It is logged, and what comes next is told."""
    told = []

    def tell(_, text):
        if text == "bad":
            raise ValueError(text)
        told.append(text)

    pieces = Pieces(tell)
    for said in ("bad", "good"):
        pieces.add(said)
        await trio.sleep(1)

    assert ["good"] == told
    assert ["pieces of an answer were not told"] == [record.message for record in caplog.records]
