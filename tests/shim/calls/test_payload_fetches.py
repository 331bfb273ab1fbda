"""Large results on their way through the shim."""

import json

import pytest

from exai_trio.shim.calls.payload_fetches import InFile

MIB = 2**20
LONG = json.dumps({"status": "success", "content": "line\n" * (2 * MIB), "metadata": {"n": 1}})
TEXTS = {
    "an object": json.dumps({"status": "success", "content": "x" * 2 * MIB}),
    "plain": "ä line\n" * 300_000,
}


async def asked(world, daemon, text, **more):
    """A call whose answer is this text."""
    daemon.payloads["txn_1"] = text.encode()
    world.call()
    request_id = (await daemon.wait_for("call_tool"))["request_id"]
    await daemon.refer(request_id, "txn_1", **more)
    return request_id


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_large_answer_is_fetched_and_told_whole(make_world, autojump_clock, kind):
    """Its client notices nothing; the daemon hears that it has arrived."""
    async with make_world(silent=True) as world:
        await asked(world, world.daemon, TEXTS[kind])
        told = await world.lines.wait_answer(1)
        await world.daemon.wait_for("payload_ack")
    result = told["result"]

    assert TEXTS[kind] == result["content"][0]["text"]
    assert (kind == "an object") == ("structuredContent" in result)
    assert not result["isError"]
    assert ["payload_ref"] == world.daemon.ops("hello")[0]["accepts"]


async def test_after_a_cut_it_goes_on_from_where_it_was(make_world, autojump_clock):
    """Whenever a piece has come the connection breaks; none is fetched twice."""
    text = TEXTS["an object"]
    async with make_world(silent=True, resumed=True, pieces_a_visit=1) as world:
        await asked(world, world.daemon, text)
        told = await world.lines.wait_answer(1)
    offsets = [get["offset"] for get in world.daemon.ops("payload_get")]

    assert text == told["result"]["content"][0]["text"]
    assert world.daemon.visits > 8
    assert 9 == world.daemon.pieces
    assert set(range(0, len(text), 262_144)) == set(offsets)


async def test_what_no_editor_takes_goes_to_a_file(make_world, autojump_clock):
    """Straight there, and the answer keeps its shape: its long texts are cut, and say where the rest is."""
    async with make_world(silent=True) as world:
        await asked(world, world.daemon, LONG)
        told = await world.lines.wait_answer(1)
    (path,) = (world.config.home / "files").iterdir()
    answer = told["result"]["structuredContent"]

    assert LONG == path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777
    assert ("success", 1) == (answer["status"], answer["metadata"]["n"])
    assert str(path) == answer["metadata"]["full_answer"]
    assert str(path) in answer["content"]
    assert len(answer["content"]) < 5_000
    assert "txn_1" == told["result"]["_meta"]["exai/metadata"]["payload_ref"]["transaction_id"]


async def test_a_long_plain_answer_is_told_by_its_beginning(make_world, autojump_clock):
    async with make_world(silent=True) as world:
        await asked(world, world.daemon, "word " * (2 * MIB))
        told = await world.lines.wait_answer(1)
    (path,) = (world.config.home / "files").iterdir()
    text = told["result"]["content"][0]["text"]

    assert str(path) in text
    assert text.endswith("word " * 800)


@pytest.mark.parametrize("text", [TEXTS["plain"], LONG])
async def test_an_answer_that_is_not_what_was_stored_is_not_told(make_world, autojump_clock, text):
    """Nor left in a file."""
    async with make_world(silent=True) as world:
        await asked(world, world.daemon, text, sha256="0" * 64)
        told = await world.lines.wait_answer(1)
    said = told["result"]["content"][0]["text"]

    assert told["result"]["isError"]
    assert "PAYLOAD_DAMAGED" in said
    assert "The call ran" in said
    assert [] == list(world.config.home.glob("files/*"))
    assert [] == world.daemon.ops("payload_ack")


async def test_the_daemons_refusal_is_told(make_world, autojump_clock):
    """The call has run all the same."""
    async with make_world(silent=True) as world:
        daemon = world.daemon
        daemon.payloads["txn_1"] = b"x" * 2 * MIB
        world.call()
        request_id = (await daemon.wait_for("call_tool"))["request_id"]
        await daemon.refer(request_id, "txn_1", transaction_id="txn_2")
        await daemon.wait_for("payload_get")
        fault = {"code": "NOT_FOUND", "message": "gone", "category": "client", "retryable": False}
        await daemon.send(
            {"op": "error", "request_id": request_id, "error": {**fault, "correlation_id": "c"}}
        )
        told = await world.lines.wait_answer(1)
    said = told["result"]["content"][0]["text"]

    assert told["result"]["isError"]
    assert "The call ran, and its answer could not be fetched." in said


async def test_what_its_client_withdraws_is_not_fetched_on(make_world, autojump_clock):
    async with make_world(silent=True) as world:
        daemon = world.daemon
        daemon.payloads["txn_1"] = LONG.encode()
        world.call()
        request_id = (await daemon.wait_for("call_tool"))["request_id"]
        await daemon.refer(request_id, "txn_1", transaction_id="txn_2")
        await daemon.wait_for("payload_get")
        world.bridge.withdraw(1)

    assert [] == list(world.config.home.glob("files/*"))
    assert "<PayloadFetches 0>" == repr(world.relay.fetches)


async def test_an_answer_that_cannot_be_kept_says_so(make_world, autojump_clock):
    async with make_world(silent=True) as world:
        (world.config.home / "files").touch()
        await asked(world, world.daemon, LONG)
        told = await world.lines.wait_answer(1)

    assert told["result"]["isError"]
    assert "The call ran." in told["result"]["content"][0]["text"]


async def test_a_file_that_cannot_be_finished_is_not_left_lying(
    make_world, autojump_clock, monkeypatch
):
    """Nor is the daemon told that its client has the answer."""

    def full(*_given):
        raise OSError("the disk is full")

    monkeypatch.setattr(InFile, "outcome", full)
    async with make_world(silent=True) as world:
        await asked(world, world.daemon, LONG)
        told = await world.lines.wait_answer(1)
        acknowledged = world.relay.fetches.due()

    assert "the disk is full" in told["result"]["content"][0]["text"]
    assert ([], []) == (acknowledged, world.daemon.ops("payload_ack"))
    assert [] == list((world.config.home / "files").iterdir())
