"""A second daemon is refused in one line, and the first one and its files never notice."""

import json

import attrs
import pytest
import trio

pytestmark = pytest.mark.real


@pytest.mark.parametrize("shared", ["port", "home"])
async def test_a_second_daemon_is_refused(daemon, new_place, shared, until):
    """The same port under another home, or the same home on another port: exit 1, one line, nothing touched."""
    first = daemon.place
    other = new_place(**first.settings)
    second = attrs.evolve(other, port=first.port) if shared == "port" else attrs.evolve(other, home=first.home)  # fmt: skip
    before = await trio.to_thread.run_sync(_files, first, daemon.pid)
    code, out, err = await trio.to_thread.run_sync(second.run, "serve")
    after = await trio.to_thread.run_sync(_files, first, daemon.pid)
    async with first.client() as one:
        answer = await one.outcome("r1", prompt="still here")

    assert (1, "", 1) == (code, out, err.count("\n"))
    assert str(first.port if shared == "port" else first.exai) in err
    assert before == after
    assert (daemon.pid, daemon.pid) == (after["pid"], after["health"])
    assert answer["ok"]
    assert shared == "home" or not other.exai.exists()


def _files(place, pid):
    """Whose the files are, and what a second daemon would have changed in them."""
    health = place.logs / "ws_daemon.health.json"
    events = ("serving", "stopping", "stopped")
    return {
        "pid": int((place.logs / "ws_daemon.pid").read_text(encoding="utf-8")),
        # The first daemon writes it every ten seconds, for the first time perhaps just now.
        "health": json.loads(health.read_bytes())["pid"] if health.exists() else pid,
        "logs": sorted(path.name for path in place.logs.glob("ws_daemon.log*")),
        **{event: place.logged(event) for event in events},
    }
