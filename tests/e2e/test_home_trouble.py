"""A home that cannot be written: the daemon serves all the same, says so, and recovers by itself. Nothing can be made below a
file, by root neither."""

import pytest

pytestmark = pytest.mark.real


@pytest.fixture
def blocked(new_place):
    """A place whose EXAI_HOME has a file in the way."""
    place = new_place(http=True, simulate=True)
    place.exai.write_text("in the way")
    return place


async def test_calls_are_refused_with_the_cure_until_the_home_can_be_written(
    blocked, serving, fetch, until
):
    """Everything that needs no disk is answered; the doctor and health name the trouble; then all is well without a restart."""
    with serving(blocked) as process:
        async with blocked.client() as client:
            await client.say("list_tools")
            listed = await client.hear()
            refused = await client.outcome("r1", prompt="hello")
            degraded = (await fetch(blocked.health, "/health")).json
            doctor = blocked.run("doctor")[1]
            blocked.exai.unlink()
            await until(lambda: _status(fetch, blocked, "healthy"))
            answer = await client.outcome("r2", prompt="hello")
        pid = (blocked.logs / "ws_daemon.pid").read_text().strip()
        second = blocked.run("serve", EXAI_WS_PORT="0")

    assert listed["tools"]
    assert ("SERVICE_UNAVAILABLE", "storage", "not_journalled") == _typed(refused)
    assert "EXAI_HOME" in refused["error"]["message"]
    assert "EXAI_DURABILITY=off" in refused["error"]["message"]
    assert refused["error"]["retry_after_s"] > 0
    assert "degraded" == degraded["status"]
    assert any(str(blocked.exai) in trouble for trouble in degraded["troubles"])
    assert "FAULT the daemon serves, but" in doctor
    assert answer["ok"]
    assert str(process.pid) == pid
    assert (1, True) == (second[0], "another daemon" in second[2])
    assert blocked.logged("serving") == 0
    assert blocked.logged("trouble is over")


async def test_without_durability_calls_are_taken(blocked, serving):
    """A conversation that cannot be kept costs its continuation, not the answer."""
    with serving(blocked, EXAI_DURABILITY="off"):
        async with blocked.client() as client:
            version = await client.outcome("r1", "version")
            chat = await client.outcome("r2", "chat", prompt="hello", use_websearch=False)

    assert version["ok"]
    assert chat["ok"]
    assert "could not be stored" in chat["outputs"][0]["metadata"]["notice"]


async def _status(fetch, place, wanted):
    return (await fetch(place.health, "/health")).json["status"] == wanted


def _typed(refused):
    error = refused["error"]
    return error["code"], error["category"], error["details"]["reason"]
