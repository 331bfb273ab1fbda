"""What chaos reads of a home while no daemon runs: a file that a kill has torn is kept aside, and is none of the log."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from chaos.ondisk import journalled

TABLES = """
CREATE TABLE journal_calls (session, request, frame);
CREATE TABLE journal_outcomes (session, request, frame);
CREATE TABLE journal_folded (segment);
INSERT INTO journal_folded VALUES (1);
"""


@pytest.mark.parametrize("name", ["39.damaged", "1"])
def test_a_torn_file_and_one_that_is_folded_are_not_read(tmp_path, name):
    state = tmp_path / "exai" / "state"
    state.mkdir(parents=True)
    with closing(sqlite3.connect(state / "exai.db")) as connection:
        connection.executescript(TABLES)
    (state / f"exai.db.calls-{name}").write_bytes(b"\\0torn")

    assert {} == journalled(tmp_path)
