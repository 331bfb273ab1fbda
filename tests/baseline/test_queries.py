"""The shipped queries give the sums that one reckons by hand, on SQLite and on PostgreSQL."""

import csv
import io
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import trio
from baseline import sql
from baseline.wrong import Wrong
from msgspec.structs import replace

from exai_trio.observability.events import CallEnded
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.file.schema import STEPS
from exai_trio.storage.sqlite.store import open_sqlite

NOW = time.time()
HOUR = int(NOW // 3600) * 3600
NOBODY = 65_534
CALL = CallEnded(
    id="c", correlation_id="c", session="s", tool="chat", principal="owner", project="/a", provider="glm", model="m",
    code="", category="", attempt=1, started_at=HOUR + 1.0, duration_ms=10.0, permit_wait_ms=1.0, provider_wait_ms=2.0,
    with_provider_ms=4.0, first_chunk_ms=5.0, requests=1, input_tokens=100, cached_tokens=40, output_tokens=10,
    reasoning_tokens=0, cost=0.25, currency="USD",
)  # fmt: skip
PLAIN = replace(
    CALL, tool="status", project="/b", provider="", model="", duration_ms=3.0, permit_wait_ms=0.0, provider_wait_ms=0.0,
    with_provider_ms=0.0, first_chunk_ms=None, requests=0, input_tokens=None, cached_tokens=None, output_tokens=None,
    reasoning_tokens=None, cost=None, currency="",
)  # fmt: skip
CALLS = [
    *(replace(CALL, duration_ms=float(10 * number)) for number in range(1, 21)),
    replace(CALL, code="TIMEOUT", category="timeout", duration_ms=900.0, permit_wait_ms=800.0, with_provider_ms=0.0,
                 first_chunk_ms=None, started_at=HOUR - 3600.0, model="", cost=None, currency=""),
    replace(CALL, project="/b", model="n", cost=None, first_chunk_ms=7.0),
    PLAIN, PLAIN, PLAIN,
    replace(CALL, started_at=NOW - 90 * 86_400, tool="old"),
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("home") / "state" / "exai.db"

    async def fill():
        async with open_sqlite(path) as store:
            await SqliteCalls(store).add(CALLS)

    trio.run(fill)
    return path


@pytest.fixture(scope="module")
def postgres():
    """A server with the same table and the same rows, gone afterwards."""
    lost = [name for name in ("initdb", "postgres", "psql") if shutil.which(name) is None]
    if lost:
        pytest.skip(f"{', '.join(lost)} of PostgreSQL are not installed")
    folder = Path(tempfile.mkdtemp(prefix="exai-pg-"))
    user = {"user": NOBODY} if os.geteuid() == 0 else {}
    os.chown(folder, user.get("user", -1), -1)
    process = None
    try:
        run = {"capture_output": True, "cwd": "/", **user}
        subprocess.run(
            ["initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "--no-sync"],
            check=True,
            **run,
        )
        options = ["-c", "listen_addresses=", "-k", folder, "-c", "fsync=off"]
        process = subprocess.Popen(
            ["postgres", "-D", folder / "data", *options],
            cwd="/",
            stderr=subprocess.DEVNULL,
            **user,
        )
        url = f"postgresql://postgres@/postgres?host={folder}"
        _wait_ready(url)
        _fill(url)
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _psql(url, text, *words):
    return subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *words, url],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def _wait_ready(url):
    for _ in range(200):
        if _psql(url, "SELECT 1").returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer")


def _fill(url):
    (table,) = (one for step in STEPS for one in step if "CREATE TABLE calls" in one)
    added = [one for step in STEPS for one in step if one.startswith("ALTER TABLE calls ADD")]
    table = ";".join((table, *added))
    for ours, theirs in {
        " STRICT": "",
        "REAL": "DOUBLE PRECISION",
        "INTEGER PRIMARY KEY": "SERIAL PRIMARY KEY",
    }.items():
        table = table.replace(ours, theirs)
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    names = list(CallEnded.__struct_fields__)
    for call in CALLS:
        values = ["\\N" if (value := getattr(call, name)) is None else value for name in names]
        writer.writerow([*values, int(call.started_at // 3600) * 3600])
    copy = f"{table};\nCOPY calls ({', '.join(names)}, hour) FROM STDIN WITH (FORMAT csv, NULL '\\N');\n{rows.getvalue()}\\.\n"
    done = _psql(url, copy)
    assert (0, "") == (done.returncode, done.stderr)


SINCE = NOW - 30 * 86_400


def in_sqlite(request, name):
    return sql.in_sqlite(request.getfixturevalue("file"), sql.text_of(name), SINCE)


def in_postgres(request, name):
    return sql.in_postgres(request.getfixturevalue("postgres"), sql.text_of(name), SINCE)


@pytest.fixture(params=[in_sqlite, in_postgres], ids=["sqlite", "postgresql"])
def asked(request):
    """The rows of a query, by name of column; NULL and an empty text are the same to psql."""

    def ask(name):
        head, rows = request.param(request, name)
        return [
            {
                key: value or 0 if value in ("", None) else value
                for key, value in zip(head, row, strict=True)
            }
            for row in rows
        ]

    return ask


pytestmark = pytest.mark.real


def test_latency_by_model_and_tool(asked):
    """Of 10, 20 … 200 ms the half is 100, and 19 of 20 are within 190; failures have no part in it."""
    rows = {(row["model"], row["tool"]): row for row in asked("latency")}

    assert {("m", "chat"), ("n", "chat"), (0, "status")} == set(rows)
    chat = rows["m", "chat"]
    assert (20, 100.0, 190.0, 200.0, 5.0) == (
        chat["calls"], chat["p50_ms"], chat["p95_ms"], chat["longest_ms"], chat["first_chunk_ms"],
    )  # fmt: skip
    assert (3, 3.0, 0) == (
        rows[0, "status"]["calls"],
        rows[0, "status"]["p50_ms"],
        rows[0, "status"]["first_chunk_ms"],
    )


def test_waits_by_model_and_tool(asked):
    rows = {(row["model"], row["tool"]): row for row in asked("waits")}
    chat = rows["m", "chat"]

    assert (20, 1.0, 2.0, 4.0) == (
        chat["calls"],
        chat["permit_ms"],
        chat["provider_permit_ms"],
        chat["with_provider_ms"],
    )
    assert chat["own_ms"] == pytest.approx(105 - 7)
    assert rows[0, "chat"]["permit_ms"] == 800.0


def test_the_bottleneck_of_each_hour(asked):
    """An hour ago a call waited for a permit of the daemon; in this hour the daemon itself took most of the time."""
    before, now = asked("bottlenecks")

    assert (HOUR - 3600, 1, "permits of the daemon") == (
        before["hour"],
        before["calls"],
        before["bottleneck"],
    )
    assert (HOUR, 24, "the daemon") == (now["hour"], now["calls"], now["bottleneck"])
    assert now["with_provider_s"] == pytest.approx(21 * 0.004)
    assert now["own_s"] == pytest.approx((2100 - 140 + 10 - 7 + 9) / 1000)


def test_cost_by_project(asked):
    """Calls that asked no model cost nothing and are not there; one without a known price is counted beside."""
    rows = {(row["project"], row["currency"]): row for row in asked("cost")}

    assert {("/a", "USD"), ("/b", "USD")} == set(rows)
    assert (20, 2000, 800, 200, 5.0, 0) == tuple(
        rows["/a", "USD"][key]
        for key in ("calls", "input_tokens", "cached_tokens", "output_tokens", "cost", "unpriced")
    )
    assert (1, 0, 1) == tuple(rows["/b", "USD"][key] for key in ("calls", "cost", "unpriced"))


def test_failures_by_tool_and_code(asked):
    (row,) = asked("failures")
    assert ("chat", "timeout", "TIMEOUT", 1) == (
        row["tool"],
        row["category"],
        row["code"],
        row["failures"],
    )
    assert row["share"] == pytest.approx(1 / 22)


def test_every_query_says_what_it_is_for(said):
    code, out, _ = said("sql")
    assert (0, 5) == (code, len(out.splitlines()))
    assert all(": " in line for line in out.splitlines())


def test_a_query_is_asked_of_a_home(said, file):
    code, out, _ = said("sql", "cost", "--home", file.parents[1])
    assert (0, "project  currency") == (code, out[:17])


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("cost", "--database", "/no/such/file"),
        ("cost", "--database", "postgresql://nobody@127.0.0.1:1/x"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(said, words):
    code, out, err = said("sql", *words)
    assert (2, "", 1) == (code, out, err.count("\n"))


def test_a_database_without_calls_ends_with_2(said, tmp_path):
    async def make():
        async with open_sqlite(tmp_path / "state" / "exai.db"):
            pass

    trio.run(make)
    for words in (("sql", "cost"), ("watch",)):
        code, out, err = said(*words, "--home", tmp_path)
        assert (2, "", True) == (code, out, "calls: there are none in this time; allowed:" in err)


def test_watch_makes_a_baseline_of_what_was_kept(said, file, tmp_path):
    """The calls of the last hours, with their failures; it is kept in the same store, and can be compared."""
    from baseline import records

    out = tmp_path / "watched.json"
    code, text, _ = said("watch", "--home", file.parents[1], "--json", out, "--hours", "30")
    found = records.read(out)

    assert (0, "watched", 25) == (code, found.source, len(found.runs))
    assert "1 of 22 runs failed: TIMEOUT" in text
    assert 0 == said("compare", out, out)[0]
    with pytest.raises(Wrong):
        sql.text_of("nothing")
