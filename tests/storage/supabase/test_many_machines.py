"""Six processes on two homes and one Supabase give 30 contents: one upload each, none lost, and the counts are right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.real

PROGRAM = Path(__file__).parents[1] / "hosted" / "shared_process.py"
GIVERS, CONTENTS = 6, 30


@pytest.mark.timeout(240)
async def test_each_content_is_given_once(gateway, stage, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for home in ("one", "two"):
        (tmp_path / home).mkdir()
    said = {}

    async def give(number):
        home = tmp_path / ("one" if number % 2 else "two")
        words = (home, gateway.url, gateway.key, shelf, number, CONTENTS)
        command = [sys.executable, str(PROGRAM), *map(str, words)]
        done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)  # fmt: skip
        assert 0 == done.returncode, done.stdout.decode()
        said[number] = json.loads(done.stdout)

    async with trio.open_nursery() as giving:
        for number in range(GIVERS):
            giving.start_soon(give, number)
    rows = stage.execute(
        "select provider_file_id, reference_count, (select count(*) from file_references r"
        " where r.upload_id = u.id and ended_at is null) from provider_file_uploads u"
        " where upload_status = 'completed'"
    )

    assert ([], CONTENTS) == (
        [lost for each in said.values() for lost in each["lost"]],
        sum(each["sent"] for each in said.values()),
    )
    assert [GIVERS] * CONTENTS == [count for _, count, there in rows if count == there]
    assert {name for name, _, _ in rows} == {path.name for path in shelf.iterdir()}
