"""Six processes give 30 contents while one cleans up without any grace: one upload each, none lost, and the counts are right."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
GIVERS, CONTENTS = 6, 30


@pytest.mark.timeout(240)
def test_six_processes_and_one_collector(tmp_path):
    from database_in_memory import MemoryDatabase

    path, shelf = tmp_path / "exai.db", tmp_path / "shelf"
    shelf.mkdir()
    with closing(sqlite3.connect(path)) as made:
        MemoryDatabase().connection.backup(made)
        made.execute("PRAGMA journal_mode = WAL")
    program = [sys.executable, str(HERE / "one_process.py"), str(path), str(shelf)]
    environ = {**os.environ, "PYTHONPATH": str(HERE.parent / "storage")}
    givers = [
        subprocess.Popen(
            [*program, "give", str(n), str(CONTENTS)],
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        for n in range(GIVERS)
    ]
    with subprocess.Popen(
        [*program, "clean", "c", "0"], stdin=subprocess.PIPE, env=environ
    ) as collector:
        said = [giver.communicate(timeout=200)[0] for giver in givers]
        collector.communicate(b"", timeout=60)

    assert [0] * GIVERS == [giver.returncode for giver in givers]
    found = [json.loads(each) for each in said]
    assert [] == [wrong for each in found for wrong in each["lost"]]
    with closing(sqlite3.connect(path)) as done:
        rows = done.execute(
            "SELECT provider_file_id, reference_count, (SELECT count(*) FROM file_references r"
            " WHERE r.upload = u.id AND r.ended_at IS NULL) FROM provider_file_uploads u"
            " WHERE upload_status = 'completed'"
        ).fetchall()
    assert CONTENTS == len(rows)
    assert all(counted == GIVERS == there for _, counted, there in rows)
    assert {row[0] for row in rows} <= {file.name for file in shelf.iterdir()}
    assert CONTENTS == sum(each["sent"] for each in found)
