"""One assignment changed, the rest of the text as it was."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.settings import dotenv
from exai_trio.settings.env_text import with_assignment, without_assignments


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", "A=1\n"),
        ("B=2", "B=2\nA=1\n"),
        ("# mine\nA=0 # old\nB=2\n", "# mine\nA=1\nB=2\n"),
        ("A=0\nA=9\n", "A=1\n"),
        ('export A="open\n', "A=1\n"),
        ("OTHER=x\n#OTHER=y\nB=2\n", "#OTHER=y\nB=2\nA=1\n"),
    ],
)
def test_an_assignment_takes_the_place_of_the_old_one(text, changed):
    """Comments, order and other lines stay; further names of the setting go."""
    assert changed == with_assignment(text, "A", "1", {"OTHER"})


def test_an_assignment_is_taken_out_whole():
    """All of it, twins and further names too, and nothing else."""
    assert "# A=1\nB=2\n" == without_assignments("# A=1\nA=1\nB=2\nexport A=3\nC=4", {"A", "C"})


LINES = st.lists(st.sampled_from(["A=0", "B = 2", "", "# A=3", "'", 'A="', "export C=4"]))
VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip)


@given(LINES.map("\n".join), VALUES)
def test_what_was_written_is_read(text, value):
    """Whatever stood there before, and whatever the value is made of."""
    before, after = (
        dotenv.parse(text).values,
        dotenv.parse(with_assignment(text, "A", value)).values,
    )

    assert {**before, "A": value} == after
