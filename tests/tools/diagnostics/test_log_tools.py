"""activity and toolcall_log_tail: our own logs, chosen by time and pattern, and no other file."""

import json

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.observability.times import rfc3339
from exai_trio.tools.diagnostics import log_lines


@pytest.fixture
def logs(bench, tmp_path):
    """A home with 30 logged calls, a minute apart, the last one now, and a daemon's log."""
    bench.config = attrs.evolve(Config(), home=tmp_path / "home")
    folder = bench.config.logs
    folder.mkdir(parents=True)
    now = bench.clock.now
    calls = [
        json.dumps(
            {"t": rfc3339(now - 60 * (29 - n)), "tool": "chat" if n % 2 else "status", "n": n}
        )
        for n in range(30)
    ]
    (folder / "toolcalls.jsonl.1").write_text("\n".join(calls[:10]) + "\n")
    (folder / "toolcalls.jsonl").write_text("\n".join(calls[10:]) + "\n")
    (folder / "ws_daemon.log").write_text(
        f"{rfc3339(now - 300)} ERROR exai.daemon: old\n  its traceback\n{rfc3339(now)} INFO exai.daemon: new\n"
    )
    return folder


async def content(bench, name, **arguments):
    return (await bench.call(name, **arguments)).structured["content"]


def numbers(text):
    return [json.loads(line)["n"] for line in text.splitlines()]


async def test_the_newest_calls_come_last(bench, logs):
    """n of them, from the rotated file too where this one has too few; the log may be named, nothing else."""
    assert [28, 29] == numbers(await content(bench, "toolcall_log_tail", n=2))
    assert list(range(5, 30)) == numbers(await content(bench, "toolcall_log_tail", n=25))
    named = await content(bench, "toolcall_log_tail", n=1, path=str(logs / "toolcalls.jsonl.1"))
    assert [9] == numbers(named)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "ws_daemon.log", "\0", "x" * 5000])
async def test_no_other_file_is_read(bench, logs, path):
    """Any other path is refused, naming the argument."""
    with pytest.raises(ArgumentError) as refused:
        await bench.call("toolcall_log_tail", path=path)

    assert refused.value.details["field"] == "path"


async def test_times_choose(bench, logs):
    """since and until are times or so long ago, and hold for all that the log keeps."""
    ago = await content(bench, "activity", since="5m")
    between = await content(
        bench,
        "activity",
        since=rfc3339(bench.clock.now - 600),
        until=rfc3339(bench.clock.now - 420),
    )

    assert [24, 25, 26, 27, 28, 29] == numbers(ago)
    assert [19, 20, 21, 22] == numbers(between)


@pytest.mark.real
async def test_patterns_choose(bench, logs):
    """A filter is a regular expression, whatever the case; lines are the newest that match."""
    found = await content(bench, "activity", filter='"TOOL": "ch.t"', lines=10)
    plain = await content(bench, "activity", filter="STATUS", lines=10)

    assert [11, 13, 15, 17, 19, 21, 23, 25, 27, 29] == numbers(found)
    assert [10, 12, 14, 16, 18, 20, 22, 24, 26, 28] == numbers(plain)


@pytest.mark.real
async def test_a_pattern_without_end_is_stopped(bench, logs, monkeypatch):
    """A pattern that never ends is cut and refused, and holds up nothing else."""
    monkeypatch.setattr(log_lines, "PATTERN_S", 0.5)
    (logs / "toolcalls.jsonl").write_text("a" * 60 + "\n")
    with trio.fail_after(20), pytest.raises(ArgumentError) as refused:
        await bench.call("activity", filter="(a+)+b", lines=10, source="activity")

    assert refused.value.details["field"] == "filter"


@pytest.mark.parametrize(
    ("field", "value"),
    [("filter", "("), ("filter", "x" * 501), ("since", "yesterday"), ("until", "2026-13-01T00:00:00Z")],
)  # fmt: skip
async def test_what_is_no_time_and_no_pattern_is_refused(bench, logs, field, value):
    """Naming the argument, and what it may be."""
    with pytest.raises(ArgumentError) as refused:
        await bench.call("activity", **{field: value})

    assert refused.value.details["field"] == field


async def test_the_daemons_log_keeps_tracebacks_with_their_line(bench, logs):
    """A line without a time belongs to the one before it; structured gives objects."""
    old = await content(bench, "activity", source="server", until="4m")
    said = json.loads(await content(bench, "activity", structured=True, lines=10))

    assert ["old", "traceback"] == [line.split()[-1] for line in old.splitlines()]
    assert {"source": "activity", "tool": "chat", "n": 29}.items() <= said[-1].items()


async def test_without_logs_there_is_an_answer(bench, tmp_path):
    """A new home has nothing to show, which is no fault."""
    bench.config = attrs.evolve(Config(), home=tmp_path / "nothing")

    assert "nothing" in await content(bench, "activity")
    assert "no call" in await content(bench, "toolcall_log_tail")
