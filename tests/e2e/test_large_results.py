"""Large results through real processes: a daemon that is killed, a shell, an editor's shim."""

import json
import signal
from functools import partial

import pytest

pytestmark = pytest.mark.real

MIB = 2**20


async def test_a_shell_gets_all_of_a_large_result(new_place, start, until):
    """By reference, as `exai bus` and the health report show."""
    place = new_place(simulate=True, http=True)
    daemon = start(place)
    text = place.exai.parent / "text"
    text.write_text("a line of text\n" * 200_000)
    code, out, err = said(place, "call", "test_echo", f"prompt=@{text}")
    listed = await until(partial(delivered, place))
    got = said(place, "bus", "get", listed[0]["transaction_id"])[1]
    storage = (await daemon.health())["storage"]

    assert (0, "") == (code, err)
    assert text.read_text() in out
    assert [("delivered", "owner")] == [(one["status"], one["principal"]) for one in listed]
    assert text.read_text() in json.loads(got)["content"]
    assert storage["bus_bytes"] == listed[0]["stored_size"]


async def delivered(place):
    """Those that are kept, once the daemon has noted that the shell has all of it."""
    listed = json.loads(said(place, "bus", "list", "--json")[1])
    return listed if {one["status"] for one in listed} == {"delivered"} else None


def said(place, *words):
    with place.start(*words) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


async def test_a_killed_daemon_leaves_the_reference(new_place, start):
    """Its successor repeats it, and gives the pieces; what was half written is gone."""
    place = new_place(simulate=True)
    first = start(place)
    accepts = {"protocol": 2, "session_id": "win", "accepts": ["payload_ref"]}
    async with place.client(**accepts) as client:
        await client.call("r1", "test_echo", prompt="x" * 2 * MIB)
        result = await client.hear_until("call_tool_res", request_id="r1")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    half = place.exai / "bus" / "00" / "txn_00.new"
    half.parent.mkdir(exist_ok=True)
    half.touch()
    start(place)
    async with place.client(**accepts, last_seq=1) as client:
        again = await client.hear_until("call_tool_res", request_id="r1")
    code, got, _ = said(place, "bus", "get", "txn_")

    assert result["outputs"] == again["outputs"]
    assert 0 == code
    assert "x" * 2 * MIB in got
    assert not half.exists()
