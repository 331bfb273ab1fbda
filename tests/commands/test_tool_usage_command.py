"""`exai usage tools` prints a line for each tool, from the calls that are kept."""

import json
import time

import pytest
import trio
from msgspec.structs import replace

from exai_trio.cli import main
from exai_trio.observability.events import CallEnded
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.tools.registry import BUILT_IN

CALL = CallEnded(
    id="c", correlation_id="c", session="s", tool="chat", principal="owner", project="", provider="", model="glm-4.6",
    code="", category="", attempt=1, started_at=0.0, duration_ms=7.0, permit_wait_ms=0.0, provider_wait_ms=0.0,
    with_provider_ms=0.0, first_chunk_ms=None, requests=1, input_tokens=1, cached_tokens=0,
    output_tokens=1, reasoning_tokens=0, cost=0.25, currency="USD",
)  # fmt: skip


async def fill(path):
    now = time.time()
    async with open_sqlite(path) as store:
        await SqliteCalls(store).add(
            [replace(CALL, started_at=now - number * 6_000) for number in range(250)]
        )


@pytest.fixture
def home(tmp_path):
    trio.run(fill, tmp_path / "state" / "exai.db")
    return tmp_path


@pytest.fixture
def said(monkeypatch, capsys):
    def run(home, *words):
        monkeypatch.setenv("EXAI_HOME", str(home))
        code = main(["usage", "tools", *words])
        return (code, *capsys.readouterr())

    return run


def test_each_tool_has_a_line_that_begins_with_its_name(home, said):
    code, out, err = said(home)

    lines = {line.split()[0]: line for line in out.splitlines()}
    assert (0, "", {tool.name for tool in BUILT_IN}) == (code, err, set(lines))
    assert lines["chat"].split()[1:3] == ["250", "1"]
    assert lines["chat"].endswith("healthy")
    assert lines["planner"].endswith("dead")


def test_json_has_the_same(home, said):
    code, out, _ = said(home, "--json", "--days", "3")

    found = {each["tool"]: each for each in json.loads(out)}
    assert (0, 44, "too little data") == (code, found["chat"]["calls"], found["chat"]["verdict"])
    assert {"USD": 44 * 0.25} == found["chat"]["cost"]
    assert found["planner"]["last_used"] is None


def test_without_a_store_nothing_is_known_and_nothing_is_made(tmp_path, said):
    code, out, err = said(tmp_path)

    assert (0, True) == (code, "no calls are noted" in err)
    assert all(line.endswith("too little data") for line in out.splitlines())
    assert [] == list(tmp_path.iterdir())
