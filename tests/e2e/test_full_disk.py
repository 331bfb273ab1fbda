"""A disk that is full under everything that a daemon keeps: it serves on, tells of it, and has forgotten nothing when there is room."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from stage.fetching import fetch
from stage.place import EXAI
from stage.readers import listed
from stage.said import unexpected
from stage.waiting import PATIENCE_S

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

TOKEN = "the-token-of-this-home"
MOUNTED = 'mount -t tmpfs -o size=24m none "$0" && exec "$@"'


@attrs.frozen
class SmallDisk:
    """A daemon whose home is a file system of its own, seen by nobody else but through the daemon."""

    process: subprocess.Popen
    home: Path

    def fill(self):
        with (self.home / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            for size in (65_536, 4_096):
                with suppress(OSError):
                    while filler.write(bytes(size)) == size:
                        pass
        assert 0 == os.statvfs(self.home).f_bavail

    def lines(self, name):
        text = (self.home / "logs" / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def ended(self):
        self.process.terminate()
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, unexpected(said)


@contextmanager
def on_small_disk(place):
    """Skips where none can be mounted."""
    for path in (place.exai, place.temporary):
        path.mkdir()
    command = ["unshare", "-m", "sh", "-c", MOUNTED, str(place.exai), *EXAI, "serve"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=place.home, env=place.environ, **pipes) as process:
        try:
            if not process.stdout.readline():
                pytest.skip(
                    f"no file system of our own can be mounted here: {process.stderr.read()}"
                )
            yield SmallDisk(process, Path(f"/proc/{process.pid}/root{place.exai}"))
        finally:
            process.kill()


async def test_a_daemon_serves_on_a_full_disk_and_recovers(new_place, tmp_path, until):
    """Calls and changes are refused with the reason; health, figures and pages answer; with room again all is well by itself, and calls,
    incidents and the access log are whole."""
    rules = tmp_path / "alerts.toml"
    rules.write_text("[disk]\nenabled = false\n")  # which a disk as small as this one never clears
    place = new_place(http=True, ENABLED_TOOLS="test_echo", EXAI_WS_TOKEN=TOKEN, EXAI_ALERTS_FILE=str(rules))  # fmt: skip
    with on_small_disk(place) as disk:
        ends = await called(place, "before", 3)
        disk.fill()
        ends += await refused(place)  # the reserve is spent for outcomes
        disk.fill()
        ends += (meanwhile := await called(place, "meanwhile", 300))
        said = await until(partial(said_of, place))
        (disk.home / "filler").unlink()
        await until(partial(is_healthy, place))
        ends += (after := await called(place, "after", 3))
        again = await trio.to_thread.run_sync(silence, place)
        await until(partial(is_whole, place, disk, ends))
        changes = [
            each["result"] for each in disk.lines("access.jsonl") if each["event"] == "changed"
        ]
        ended = disk.ended()

    assert ({"SERVICE_UNAVAILABLE": 300}, {"ok": 3}) == (meanwhile, after)
    assert {"status": [200] * 4, "change": 503, "journal": "critical"} == said
    assert (200, ["SERVICE_UNAVAILABLE", "done"]) == (again, [changes[0], changes[-1]])
    assert (0, "") == ended


BEARER = (f"Authorization: Bearer {TOKEN}",)


async def called(place, name, count):
    """How often each outcome came."""
    async with place.client(token=TOKEN) as client:
        ends = [await client.outcome(f"{name}{number}", prompt="hi") for number in range(count)]
    return Counter("ok" if end["ok"] else end["error"]["code"] for end in ends)


async def refused(place):
    """What came of calls until one was not taken."""
    ends = Counter()
    while not ends["SERVICE_UNAVAILABLE"]:
        ends += await called(place, f"full{ends.total()}-", 1)
    return ends


def silence(place):
    """The status of a change that is to be written down."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    url = f"http://127.0.0.1:{place.pages}/api/alerts/latency/silence"
    request = urllib.request.Request(url, data=b"{}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
            return answer.status
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


async def said_of(place):
    """What is said of a full disk, once both the store and the file of health have met it, and an alert fires."""
    told = (await fetch(place.health, "/health")).json.get("troubles", [])
    rows = (await fetch(place.pages, "/api/alerts", headers=BEARER)).json["rows"]
    alerts = {row["name"]: row["severity"] for row in rows}
    if {"storage", "write_health"} - {
        one.partition(":")[0] for one in told
    } or "journal" not in alerts:
        return None
    assert all("disk is full" in one or "No space left" in one for one in told)
    paths = ("/", "/api/calls", "/api/incidents", "/metrics")
    return {
        "status": [(await fetch(place.pages, path, headers=BEARER)).status for path in paths],
        "change": await trio.to_thread.run_sync(silence, place),
        "journal": alerts["journal"],
    }


async def is_healthy(place):
    return (await fetch(place.health, "/health")).json["status"] == "healthy"


async def is_whole(place, disk, ends):
    """Whether every reader has each call that was answered, and the incident each that was refused."""
    rows = (await fetch(place.pages, "/api/incidents", headers=BEARER)).json["rows"]
    seen = {row["error_message"]: row["occurrence_count"] for row in rows}
    used = (await fetch(place.pages, "/api/usage", headers=BEARER)).json["rows"]
    counted = (
        len(await listed(place)), sum(row["calls"] for row in used),
        len(disk.lines("ws_daemon.metrics.jsonl")), seen.get("call not journalled"),
    )  # fmt: skip
    return counted == (ends["ok"], ends["ok"], ends["ok"], ends["SERVICE_UNAVAILABLE"])
