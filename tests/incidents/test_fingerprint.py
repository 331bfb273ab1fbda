"""Faults that are the same have one fingerprint, and others have others."""

import attrs
import pytest

from exai_trio.incidents.fault import Fault, Frame
from exai_trio.incidents.fingerprint import fingerprint, without_variables

FRAMES = (
    Frame(module="exai_trio.daemon.calls.execution", function="run_tool", line=12),
    Frame(module="exai_trio.tools.chat", function="Chat.run", line=80, source="x[1]"),
    Frame(module="httpx2", function="get", line=3, ours=False),
)
FAULT = Fault(
    kind="bug", severity="high", logger="exai.calls", phrase="call crashed", type="KeyError", message="'a'",
    causes=("ValueError",), frames=FRAMES,
)  # fmt: skip
BARE = attrs.evolve(FAULT, frames=(), message="no 12 at /a/b of 'x'")


@pytest.mark.parametrize(
    "same",
    [
        attrs.evolve(FAULT, message="'b'"),
        attrs.evolve(FAULT, logger="exai.jobs", phrase="job failed"),
        attrs.evolve(FAULT, frames=tuple(attrs.evolve(f, line=f.line + 7, source="") for f in FRAMES)),
        attrs.evolve(FAULT, frames=FRAMES[:2]),
        attrs.evolve(FAULT, frames=(*FRAMES[:2], *FRAMES[1:])),
        attrs.evolve(FAULT, frames=(*FRAMES[:2], Frame(module="exai_trio.tools.chat", function="Chat.run.<locals>.<lambda>"))),
    ],
    ids=["message", "border", "lines", "foreign frames", "recursion", "lambda"],
)  # fmt: skip
def test_what_changes_from_time_to_time_changes_no_fingerprint(same):
    assert fingerprint(FAULT) == fingerprint(same)


@pytest.mark.parametrize(
    "other",
    [
        attrs.evolve(FAULT, type="IndexError"),
        attrs.evolve(FAULT, causes=()),
        attrs.evolve(FAULT, frames=FRAMES[:1]),
        attrs.evolve(FAULT, type="", phrase="trouble: storage"),
        BARE,
    ],
    ids=["type", "cause", "place", "a record", "no place"],
)
def test_other_faults_have_others(other):
    assert fingerprint(FAULT) != fingerprint(other)


def test_without_frames_of_ours_the_message_tells_them_apart():
    again = attrs.evolve(BARE, message="no 7 at /c/d/e of 'yy'")
    assert fingerprint(BARE) == fingerprint(again)
    assert fingerprint(BARE) != fingerprint(attrs.evolve(BARE, message="none at all"))
    assert fingerprint(BARE).startswith("1-")


def test_numbers_ids_paths_addresses_and_quotations_are_no_part_of_a_phrase():
    said = "at /home/x/a.py: 3f2a9c01b2 of http://a.b:80/c, me@x.y; 'q' 12.5 C:\\temp"
    assert "at #: # of # # # #.# #" == without_variables(said)
