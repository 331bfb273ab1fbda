"""Many rows in few statements: they come back as they were, and what is empty in all of a statement's rows is not handed over."""

import sqlite3
from contextlib import closing

import pytest

from exai_trio.storage.sqlite.batches import insert_many

BEGIN = "INSERT INTO kept (number, text, size)"
LONG = 120  # two statements of fifty rows, and a rest


@pytest.fixture
def kept_rows():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE kept (number INTEGER, text TEXT, size REAL) STRICT")
        yield opened


class Handed:
    """A connection that notes with how many values each statement came."""

    def __init__(self):
        self.counts = []

    def execute(self, statement, values):
        self.counts.append(len(values))

    def executemany(self, statement, rows):
        self.counts += [len(row) for row in rows]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(1, "", None)],
        [(number, "", None) for number in range(LONG)],
        [(number, "x", None) for number in range(LONG)],
        [(number, "", 0.5 if number % 60 == 59 else None) for number in range(LONG)],
        [(number, "x" if number == LONG - 1 else "", None) for number in range(LONG)],
        [(None, "", 0.0) for _ in range(LONG)],
        [(None, "", None)],
    ],
)
def test_rows_come_back_as_they_were(kept_rows, rows):
    insert_many(kept_rows, BEGIN, rows)

    found = "SELECT number, text, size FROM kept ORDER BY rowid"
    assert rows == kept_rows.execute(found).fetchall()


def test_what_is_empty_in_all_rows_is_not_handed_over():
    """A NULL that is handed over takes longer than any other value; in one row of a statement it is one of its values."""
    handed = Handed()
    insert_many(handed, BEGIN, [(number, "", None) for number in range(51)])
    insert_many(handed, BEGIN, [(number, "", 1.5 if number else None) for number in range(51)])

    assert [50, 1, 100, 2] == handed.counts
