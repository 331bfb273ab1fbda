"""Faults of ours: in a call's task, in a connection, at the warm-up. None takes a neighbour down."""

import errno
from traceback import format_exception

import pytest
import trio

from exai_trio.daemon.calls import lifecycle
from exai_trio.daemon.lifetime import settle
from exai_trio.errors import NotFoundError
from exai_trio.tools.base import Answer
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Health,
    Ping,
    Pong,
)
from exai_trio.wire.session_rules import SessionRules


def fail(*_):
    raise ZeroDivisionError("planted")


def once_for(session_id):
    """Fails for the first call of this session that has ended."""
    faults = [fail]
    return lambda call, *_: call.session_id == session_id and faults and faults.pop()()


async def test_a_crash_beside_a_call_costs_nobody_else_anything(
    house, autojump_clock, monkeypatch, caplog
):
    """What has its outcome keeps it; its neighbours in the session, and its connection, go on."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        monkeypatch.setattr(lifecycle, "publish_end", once_for("win"))
        await client.nap("r1", seconds=30.0)
        await client.nap("r2", seconds=5.0)
        answered = [(await client.hear_until(CallResult)).request_id for _ in range(2)]
        left = dict(daemon.sessions.table["win"].calls.table)

    assert ["r2", "r1"] == answered
    assert {} == left
    assert ["call crashed"] == [r.message for r in caplog.records if r.exc_info]
    assert 24.0 == daemon.free_permits
    assert 0 == daemon.counted.running


async def test_an_answer_that_cannot_be_sent_is_an_internal_error(
    house, autojump_clock, monkeypatch, caplog
):
    """A tool of ours has given what is no JSON: its client hears so, and the neighbour's call goes on."""

    async def run(_naps, arguments, *_):
        await trio.sleep(arguments.seconds)
        return Answer(text="ok", metadata={"odd": object()} if arguments.fault else {})

    async with house() as daemon:
        monkeypatch.setattr(type(daemon.naps), "run", run)
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=30.0)
        await client.nap("r2", seconds=5.0, fault="odd")
        failed = await client.hear_until(CallFailed)
        outcome = await client.hear_until(CallResult)
        calls = (await daemon.context.journal.session("win")).calls
        kept = {one.request: one.outcome.frame for one in calls}

    assert ("r2", "INTERNAL_ERROR") == (failed.request_id, failed.error.code)
    assert "r1" == outcome.request_id
    assert "INTERNAL_ERROR" in kept['"r2"']
    assert ["call crashed"] == [r.message for r in caplog.records if r.exc_info]


async def test_a_crash_before_the_acceptance_is_a_refusal(
    house, autojump_clock, monkeypatch, caplog
):
    """A fault of ours in the journal: the call is not started, and its place is free."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        with monkeypatch.context() as planted:
            planted.setattr(type(daemon.context.journal), "accept", fail)
            await client.nap("r1")
            refused = await client.hear()
        await client.nap("r1")
        outcome = await client.hear_until(CallResult)

    assert ("INTERNAL_ERROR", 1) == (refused.error.code, daemon.naps.started)
    assert "r1" == outcome.request_id
    assert ["call crashed"] == [r.message for r in caplog.records if r.exc_info]


async def test_a_crash_of_a_session_costs_no_call_anything(
    house, autojump_clock, monkeypatch, caplog
):
    """Whoever comes back finds it with its calls, without a restart; what goes on under a handle has not noticed."""
    async with house() as daemon, daemon.connect() as (other, _):
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("h", seconds=30.0, handle_after_s=1.0)
            await client.nap("r", seconds=20.0)
            handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
            monkeypatch.setattr(SessionRules, "holds_anything", property(fail))
        await trio.sleep(5)
        monkeypatch.undo()
        async with daemon.connect(session_id="win", last_seq=client.last_seq) as (client, ack):
            outcome = await client.hear_until(CallResult)
        await other.say(CallTool(request_id="f", name="result", arguments={"call_id": handle}))
        fetched = await other.hear_until(CallResult)

    assert ack.resumed
    assert ["slept 20", "slept 30"] == [one.outputs[0].text for one in (outcome, fetched)]
    assert (2, 0) == (daemon.naps.started, daemon.naps.cancelled)
    assert {"session crashed"} == {r.message for r in caplog.records if r.exc_info}


async def test_a_tool_that_fails_while_it_is_ended_costs_its_own_call_only(
    house, autojump_clock, monkeypatch, caplog
):
    """Whatever comes beside the Cancelled is logged; the outcome is why the call was ended."""

    async def fail_when_cancelled():
        try:
            await trio.sleep_forever()
        finally:
            fail()

    async def run(_naps, arguments, *_):
        if arguments.fault:
            async with trio.open_nursery() as parts:
                parts.start_soon(trio.sleep_forever)
                parts.start_soon(fail_when_cancelled)
        await trio.sleep(arguments.seconds)
        return Answer(text="ok")

    async with house() as daemon:
        monkeypatch.setattr(type(daemon.naps), "run", run)
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("neighbour", seconds=20.0)
        await client.nap("late", fault="group", timeout_s=5.0)
        await client.nap("cancelled", fault="group")
        await trio.sleep(1)
        await client.say(Cancel(request_id="cancelled"))
        failed = {(f := await client.hear_until(CallFailed)).request_id: f.error.code for _ in range(2)}  # fmt: skip
        outcome = await client.hear_until(CallResult)

    assert {"late": "TIMEOUT", "cancelled": "CANCELLED"} == failed
    assert "neighbour" == outcome.request_id
    assert ["call crashed"] * 2 == [r.message for r in caplog.records if r.exc_info]


async def test_a_crash_in_a_connection_ends_that_connection_alone(
    house, autojump_clock, monkeypatch, caplog
):
    """Its session and its call are there when it is back."""
    async with house() as daemon, daemon.connect() as (other, _):
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("r1", seconds=20.0)
            await client.hear_until(CallAccepted)
            with monkeypatch.context() as planted:
                planted.setattr(type(daemon.report), "health", fail)
                await client.say(Health())
                with pytest.raises(PeerGone):
                    await client.hear()
        await other.say(Ping())
        pong = await other.hear()
        async with daemon.connect(session_id="win") as (client, ack):
            outcome = await client.hear_until(CallResult)

    assert isinstance(pong, Pong)
    assert ack.resumed
    assert isinstance(outcome, CallResult)
    assert 1 == daemon.naps.started
    assert ["connection crashed"] == [r.message for r in caplog.records if r.exc_info]


async def test_a_warm_up_that_fails_is_only_logged(house, autojump_clock, monkeypatch, caplog):
    """Too many open files while a library is loaded: the first call pays for it, and the daemon goes on."""

    async def warm_up(_gateway):
        await trio.lowlevel.checkpoint()
        raise OSError(errno.EMFILE, "Too many open files")

    async with house() as daemon, daemon.connect() as (client, _):
        monkeypatch.setattr(
            type(daemon.environment.services.gateway), "warm_up", warm_up, raising=False
        )
        loaded = trio.Event()
        loaded.set()
        await settle(daemon.environment.services.gateway, loaded)
        await client.nap()
        outcome = await client.hear_until(CallResult)

    assert isinstance(outcome, CallResult)
    assert ["not warmed up"] == [r.message for r in caplog.records if r.exc_info]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_bug_beside_a_known_fault_is_told(
    house, autojump_clock, caplog, monkeypatch, cancelled
):
    """The client hears the fault that says what to do; the log has the bugs with their trace, and they are counted."""

    async def run(_naps, _arguments, *_):
        try:
            await trio.sleep(1)
        finally:
            fault, bugs = NotFoundError("no such thing"), [ValueError("one"), KeyError("two")]
            raise ExceptionGroup("both", [fault, ExceptionGroup("deeper", bugs)])

    async with house() as daemon:
        monkeypatch.setattr(type(daemon.naps), "run", run)
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap()
        if cancelled:
            await trio.sleep(0.5)
            await client.say(Cancel(request_id="r1"))
        heard = await client.hear_until(CallFailed)
        counted = daemon.report.health()["calls"]["bugs"]
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    trace = "".join(format_exception(told.exc_info[1]))

    assert "NOT_FOUND" == heard.error.code
    assert ("ValueError: one" in trace, "KeyError: 'two'" in trace, __file__ in trace) == (True, True, True)  # fmt: skip
    assert 2 == counted == told.bugs
