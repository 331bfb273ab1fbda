"""The keeper's rules: offsets, holding, gaps, safe starts, numbered input, sizes. No process, no clock."""

import json
import random

import pytest
from hypothesis import given, strategies as st

from exai_trio.terminal.keeper import keeper_frames
from exai_trio.terminal.keeper.kept_session import (
    BACKLOG,
    KeptSession,
    Refused,
    Times,
    checked_size,
)
from exai_trio.terminal.keeper.line_limit import LineLimit, LineMode
from exai_trio.terminal.keeper.numbered_input import (
    FULL,
    MOST_WAITING,
    OUT_OF_ORDER,
    QUEUED,
    REPEATED,
    NumberedInput,
)
from exai_trio.terminal.keeper.output_ring import OutputRing
from exai_trio.terminal.keeper.viewer import GATHERED, PATIENCE_S, TAKEN_S, WINDOW

SIZE = (80, 24)


def kept(ring_bytes=1000, hold_s=10.0, idle_s=3600.0, linger_s=60.0):
    return KeptSession(ring_bytes, Times(hold_s, idle_s, linger_s), SIZE, 0.0)


def said(frame):
    return json.loads(frame[5:])


def shown(session, viewer):
    """All that this viewer is sent now, as offsets and bytes, and texts."""
    found = []
    while (frame := session.next_frame(viewer)) is not None:
        found.append(frame if isinstance(frame, tuple) else said(frame))
    return found


# ------------------------------------------------------------------ the ring


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_the_ring_gives_back_every_byte_that_it_keeps(pieces):
    ring, whole = OutputRing(64), b""
    for piece in pieces:
        ring.append(piece)
        whole += piece
        assert ring.head == len(whole)
        assert ring.tail == max(0, len(whole) - 64)
        assert ring.read(ring.tail, 1000) == whole[ring.tail :]


class Automaton:
    """A terminal's parser, byte by byte: whether nothing is begun."""

    def __init__(self):
        self.state, self.left = "ground", 0

    def take(self, byte):
        if byte == 0x1B:
            self.state = "escape"
        elif byte in (0x18, 0x1A):
            self.state = "ground"
        elif self.state == "escape":
            self._introduce(byte)
        elif (
            (self.state == "csi" and 0x40 <= byte <= 0x7E)
            or (self.state == "osc" and byte == 7)
            or (self.state == "middle" and 0x30 <= byte <= 0x7E)
        ):
            self.state = "ground"

    def _introduce(self, byte):
        if 0x20 <= byte <= 0x2F:
            self.state = "middle"
        elif byte >= 0x20:
            named = {
                "[": "csi",
                "]": "osc",
                "P": "string",
                "X": "string",
                "^": "string",
                "_": "string",
            }
            self.state = named.get(chr(byte), "ground")


PARTS = ["x", "é", "漢", "🙂", "\n", "\x1b[1;31m", "\x1b[?25l", "\x1b]0;a title\x07", "\x1b]8;;url\x1b\\", "\x1bP+q\x1b\\", "\x1b(B", "\x1b7", "\x1b[", "\x18"]  # fmt: skip


@given(
    st.lists(st.sampled_from(PARTS), min_size=10, max_size=60),
    st.integers(1, 30),
    st.integers(8, 40),
)
def test_output_that_has_lost_its_beginning_starts_at_the_first_safe_place(parts, piece, size):
    whole = "".join(parts).encode()
    ring, states, automaton = OutputRing(size), [], Automaton()
    for byte in whole:
        states.append(automaton.state)
        automaton.take(byte)
    states.append(automaton.state)
    for at in range(0, len(whole), min(piece, size)):
        ring.append(whole[at : at + min(piece, size)])
        start = ring.start()
        safe = [
            place
            for place in range(ring.tail, ring.head)
            if states[place] == "ground" and not 0x80 <= whole[place] < 0xC0
        ]
        if safe:
            assert start == safe[0]
        elif start is not None:
            assert start == ring.head
            assert states[start] == "ground"


# ------------------------------------------------------------------ output


def test_nothing_is_overwritten_that_somebody_who_is_attached_has_not_shown():
    session = kept(1000)
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.take_output(b"x" * 700, 0.0)
    assert session.room(0.0) == 300
    session.take_output(b"y" * 300, 0.0)
    assert session.room(1.0) == 0
    shown(session, viewer)
    session.acknowledge(viewer, 400, 1.0)
    assert session.room(1.0) == 400


def test_who_shows_nothing_for_ten_seconds_holds_nobody_and_hears_of_the_exact_gap():
    session = kept(1000)
    slow = session.attach("slow", None, SIZE, writes=True, now=0.0)
    quick = session.attach("quick", None, SIZE, writes=True, now=0.0)
    session.take_output(b"x" * 1000, 0.0)
    assert shown(session, quick) == [(0, b"x" * 1000)]
    session.acknowledge(quick, 1000, 0.0)
    assert session.room(0.1) == 0
    assert session.room(0.1 + PATIENCE_S) > 0
    session.take_output(b"y" * 600, 11.0)
    assert shown(session, slow) == [
        {"op": "gap", "from": 0, "to": 600},
        (600, b"x" * 400 + b"y" * 600),
    ]
    session.acknowledge(slow, 1600, 12.0)
    session.acknowledge(quick, 1000, 12.0)
    session.take_output(b"z" * 400, 12.0)
    assert not slow.is_behind


def test_output_is_held_for_nobody_for_a_while_only():
    session = kept(100, hold_s=10.0)
    session.take_output(b"x" * 100, 0.0)
    assert (session.room(9.9), session.room(10.0)) == (0, 100)
    viewer = session.attach("a", None, SIZE, writes=True, now=20.0)
    shown(session, viewer)
    session.acknowledge(viewer, 60, 20.0)
    session.detach(viewer, 20.0)
    assert (session.room(29.0), session.room(30.0)) == (60, 100)


def test_a_program_is_never_far_ahead_of_the_client_that_shows_most():
    session = kept(4 * BACKLOG)
    session.attach("a", None, SIZE, writes=True, now=0.0)
    taken = 0
    while room := session.room(0.0):
        session.take_output(b"x" * room, 0.0)
        taken += room
    assert taken == BACKLOG


def test_no_more_is_under_way_than_a_window():
    session = kept(4 * WINDOW)
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.take_output(b"x" * 2 * WINDOW, 0.0)
    assert sum(len(data) for _, data in shown(session, viewer)) == WINDOW
    assert shown(session, viewer) == []
    session.acknowledge(viewer, GATHERED - 1, 0.0)
    assert shown(session, viewer) == []
    session.acknowledge(viewer, GATHERED, 0.0)
    assert shown(session, viewer) == [(WINDOW, b"x" * GATHERED)]


def test_what_is_little_waits_only_behind_much_that_is_not_acknowledged():
    session = kept(WINDOW)
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    for sent in (b"k", b"x" * GATHERED):
        session.take_output(sent, 0.0)
        assert [data for _, data in shown(session, viewer)] == [sent]
    session.take_output(b"last", 0.0)
    assert shown(session, viewer) == []
    session.acknowledge(viewer, viewer.cursor, 0.0)
    assert shown(session, viewer) == [(GATHERED + 1, b"last")]


def test_that_input_is_taken_is_told_with_its_echo_or_soon():
    session = kept()
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.note_taken("a", 1, 0.0)
    session.note_taken("a", 2, 0.0)
    assert shown(session, viewer) == []
    session.take_output(b"k", 0.0)
    assert shown(session, viewer) == [{"op": "taken", "n": 2}, (0, b"k")]
    session.note_taken("a", 3, 1.0)
    assert session.deadline(1.0) == 1.0 + TAKEN_S
    session.deadline(1.0 + TAKEN_S)
    assert shown(session, viewer) == [{"op": "taken", "n": 3}]


def test_who_comes_back_is_sent_what_lies_behind_its_offset_and_nothing_twice():
    session = kept()
    session.take_output(b"0123456789", 0.0)
    viewer = session.attach("a", 4, SIZE, writes=True, now=0.0)
    assert shown(session, viewer) == [(4, b"456789")]
    assert shown(session, viewer) == []
    with pytest.raises(Refused, match="offset 11"):
        session.attach("b", 11, SIZE, writes=True, now=0.0)
    with pytest.raises(Refused, match="not sent"):
        session.acknowledge(viewer, 11, 0.0)


def test_the_second_connection_of_a_client_takes_the_place_of_the_first():
    session = kept()
    first = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.attach("a", None, SIZE, writes=True, now=0.0)
    assert shown(session, first) == [{"op": "bye", "reason": "superseded"}]
    assert len(session.viewers) == 1


def test_later_attachments_begin_where_it_was_cleared():
    session = kept()
    session.take_output(b"before", 0.0)
    session.ring.begin_here()
    session.take_output(b"after", 0.0)
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    assert shown(session, viewer) == [(6, b"after")]


# ------------------------------------------------------------------ input


def written(numbers, mode=None):
    found, taken = b"", []
    while data := numbers.next(mode):
        done = numbers.wrote(min(3, len(data)), mode)
        found += data[:3]
        taken += [done] if done else []
    return found, taken + numbers.settled


def test_each_number_is_written_once_and_in_order():
    numbers = NumberedInput()
    assert numbers.offer("a", 1, b"one") == QUEUED
    assert numbers.offer("a", 1, b"one") == REPEATED
    assert numbers.offer("a", 3, b"three") == OUT_OF_ORDER
    assert numbers.offer("b", 1, b"uno") == QUEUED
    assert numbers.offer("a", 2, b"twotwo") == QUEUED
    assert numbers.taken("a") == 0
    assert written(numbers) == (b"oneunotwotwo", [("a", 1), ("b", 1), ("a", 2)])
    assert numbers.offer("a", 2, b"twotwo") == REPEATED
    assert numbers.taken("a") == 2


def test_a_number_is_taken_when_the_terminal_has_all_of_it():
    numbers = NumberedInput()
    numbers.offer("a", 1, b"four")
    numbers.next(None)
    assert numbers.wrote(3, None) is None
    assert numbers.taken("a") == 0
    assert numbers.wrote(1, None) == ("a", 1)


def test_more_input_than_may_wait_is_refused_and_can_be_sent_again():
    numbers = NumberedInput()
    assert numbers.offer("a", 1, bytes(MOST_WAITING)) == QUEUED
    assert numbers.offer("a", 2, b"x") == FULL
    numbers.next(None)
    numbers.wrote(MOST_WAITING, None)
    assert numbers.offer("a", 2, b"x") == QUEUED


def test_input_without_bytes_does_not_wait_without_end():
    numbers = NumberedInput()
    for sequence in range(1, MOST_WAITING + 1):
        assert numbers.offer("a", sequence, b"") == QUEUED
    assert numbers.offer("a", MOST_WAITING + 1, b"") == FULL
    assert (numbers.waiting, numbers.is_due) == (0, True)
    assert numbers.next(None) == b""
    assert not numbers.is_due
    assert numbers.settled[-1] == ("a", MOST_WAITING)


def test_a_line_that_the_kernel_would_cut_is_refused_whole():
    numbers, mode = NumberedInput(), LineMode(b"\n\x03", b"\x7f")
    numbers.offer("a", 1, b"x" * 4000)
    numbers.offer("a", 2, b"y" * 96)
    numbers.offer("a", 3, b"z" * 95 + b"\n")
    while data := numbers.next(mode):
        numbers.wrote(len(data), mode)
    assert numbers.refused == [("a", 2)]
    assert numbers.taken("a") == 3
    assert LineLimit().fits(b"x" * 5000, None)


# ------------------------------------------------------------------ sizes and the end


def test_who_typed_or_resized_last_rules_and_the_others_hear_of_it():
    session = kept()
    large = session.attach("large", None, (200, 50), writes=True, now=0.0)
    small = session.attach("small", None, (80, 24), writes=True, now=0.0)
    watcher = session.attach("watcher", None, (10, 10), writes=False, now=0.0)
    assert session.size == (80, 24)
    assert shown(session, large) == [{"op": "resized", "cols": 80, "rows": 24}]
    session.type(large, 1, b"x", 0.0)
    assert session.size == (200, 50)
    assert shown(session, small) == [{"op": "resized", "cols": 200, "rows": 50}]
    assert shown(session, watcher) == [{"op": "resized", "cols": 200, "rows": 50}]
    with pytest.raises(Refused, match="read only"):
        session.type(watcher, 1, b"x", 0.0)
    for wrong in (0, 100_000, "80", None, True):
        with pytest.raises(Refused, match="1 to 2000"):
            checked_size(wrong, 24)


def test_a_program_whose_beginning_is_lost_is_made_to_draw_again():
    session = kept(10)
    session.take_output(b"x" * 10, 0.0)
    session.take_output(b"y" * 10, 0.0)
    session.attach("a", None, SIZE, writes=True, now=5.0)
    assert session.size_now(5.0) == (80, 23)
    assert session.size_now(5.1) == (80, 24)


def test_an_exit_is_told_after_the_last_output_and_to_who_comes_within_a_minute():
    session = kept()
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.take_output(b"bye", 0.0)
    session.end({"status": 3}, 1.0)
    assert shown(session, viewer) == [(0, b"bye"), {"op": "exited", "status": 3}]
    session.acknowledge(viewer, 3, 1.0)
    assert not session.is_over(2.0)
    late = session.attach("b", None, SIZE, writes=True, now=30.0)
    assert shown(session, late)[-1] == {"op": "exited", "status": 3}
    assert session.is_over(61.0)


def test_it_is_over_at_once_when_all_who_are_attached_have_shown_all_and_know_the_exit():
    session = kept()
    viewer = session.attach("a", None, SIZE, writes=True, now=0.0)
    session.take_output(b"bye", 0.0)
    session.end({"status": 0}, 1.0)
    shown(session, viewer)
    viewer.has_confirmed = True
    assert not session.is_over(1.0)
    session.acknowledge(viewer, 3, 1.0)
    assert session.is_over(1.0)


@pytest.mark.parametrize("has_ended", [False, True])
def test_who_is_left_behind_leaves_no_time_that_is_past(has_ended):
    session = kept(hold_s=0.0)
    session.attach("a", None, SIZE, writes=True, now=0.0)
    session.take_output(b"bye", 0.0)
    assert session.room(1.0) > 0
    assert session.deadline(1.0) == 1.0 + PATIENCE_S
    if has_ended:
        session.end({"status": 0}, 12.0)
    assert session.deadline(30.0) > 30.0


def test_a_session_that_nobody_needs_is_forgotten():
    session = kept(idle_s=100.0)
    assert not session.is_forgotten(99.0)
    viewer = session.attach("a", None, SIZE, writes=True, now=99.0)
    assert not session.is_forgotten(500.0)
    session.detach(viewer, 500.0)
    assert session.is_forgotten(600.0)


# ------------------------------------------------------------------ frames


@given(st.lists(st.binary(max_size=300), max_size=10), st.integers(0, 2**32))
def test_frames_arrive_whole_however_they_are_cut(payloads, seed):
    dice = random.Random(seed)  # noqa: S311 - dice that follow a seed
    data = b"".join(keeper_frames.output(place, each) for place, each in enumerate(payloads))
    reader, found = keeper_frames.FrameReader(), []
    while data:
        count = dice.randrange(1, 50)
        found += reader.feed(data[:count])
        data = data[count:]
    assert [keeper_frames.numbered(each) for _, each in found] == list(enumerate(payloads))


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\x01", b"\0\0\0\1\x09x"])
def test_what_is_no_frame_is_no_frame(data):
    with pytest.raises(keeper_frames.FrameError):
        keeper_frames.FrameReader().feed(data)
