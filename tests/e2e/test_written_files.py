"""The files that a daemon writes for monitors. This module comes last: by then the daemon has written them all."""

import json

import pytest

pytestmark = pytest.mark.real

SESSION = "session-of-the-files"


async def test_files_that_monitors_read(daemon, until):
    """The pid file, a line of metrics for each call, and the health file, which is written every ten seconds."""
    logs = daemon.place.logs
    async with daemon.place.client(session_id=SESSION) as one:
        await one.outcome("r1", "chat", prompt="for the metrics")
    line = await until(lambda: _line_of(logs / "ws_daemon.metrics.jsonl", SESSION))
    health = await until(lambda: _read(logs / "ws_daemon.health.json"))
    modes = [(logs / name).stat().st_mode & 0o777 for name in ("ws_daemon.pid", "ws_daemon.log")]

    assert daemon.pid == int((logs / "ws_daemon.pid").read_text(encoding="utf-8"))
    assert ("call_tool", "chat", "glm", True) == (line["op"], line["name"], line["prov"], line["ok"])  # fmt: skip
    assert {"t", "lat"} <= line.keys()
    assert (daemon.pid, daemon.place.port, 128) == (health["pid"], health["port"], health["global_capacity"])  # fmt: skip
    assert {"t", "host", "started_at", "uptime_human", "sessions", "global_inflight", "tool_count"} <= health.keys()  # fmt: skip
    assert [0o600, 0o600] == modes


def _line_of(path, session):
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines() if path.exists() else ())
    return next((line for line in lines if line["sess"] == session), None)


def _read(path):
    return json.loads(path.read_bytes()) if path.exists() else None
