"""The newest lines of a log are read from its end, as far back as somebody's are."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.observability import tail
from exai_trio.observability.tail import newest_lines, newest_lines_of
from exai_trio.principals import OWNER

THEIRS = '{{"principal":"kim","n":{}}}'


def write(folder, lines, before=()):
    log = folder / "calls.jsonl"
    log.with_name("calls.jsonl.1").write_text("".join(f"{line}\n" for line in before))
    log.write_text("".join(f"{line}\n" for line in lines))
    return log


@given(
    widths=st.lists(st.integers(0, 40), max_size=30),
    rotated=st.integers(0, 30),
    count=st.integers(0, 40),
    block=st.integers(1, 64),
)
def test_the_newest_lines_are_those_at_the_end(tmp_path_factory, widths, rotated, count, block):
    """However long they are, wherever a block of the file begins, and over the file that it was rotated to."""
    lines = [f"{number}é{'x' * width}" for number, width in enumerate(widths)]
    log = write(tmp_path_factory.mktemp("log"), lines[rotated:], before=lines[:rotated])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_BLOCK", block)
        assert lines[-count:] * bool(count) == newest_lines(log, count)


@pytest.mark.parametrize("others", [0, 10, 1_000])
def test_whose_lines_are_far_back_is_shown_them(tmp_path, others):
    """Behind many of others', and none of theirs."""
    mine = [THEIRS.format(number) for number in range(5)]
    log = write(tmp_path, [*mine, *['{"n":0}'] * others])

    assert mine[-3:] == newest_lines_of(log, 3, "kim")
    assert others == len(newest_lines_of(log, 2_000, OWNER))


@pytest.mark.parametrize("count", range(1, 8))
def test_a_line_whose_beginning_is_not_read_is_nobodys(tmp_path, count):
    """What goes on below somebody's line is shown to nobody else, however few lines are looked at."""
    log = write(tmp_path, [THEIRS.format(1), "  their secret", "  another", "  and one more"])

    assert [] == newest_lines_of(log, count, OWNER)


def test_of_a_log_that_is_too_long_its_first_lines_are_nobodys(tmp_path, monkeypatch):
    """Where not all bytes are read, no line may be taken for the beginning."""
    log = write(tmp_path, [THEIRS.format(1), *["  their secret"] * 20, '{"n":0}'])
    monkeypatch.setattr(tail, "_MOST_BYTES", 100)

    assert ['{"n":0}'] == newest_lines_of(log, 1_000, OWNER)
