"""What a daemon publishes of its sessions, jobs and troubles, and that the meters follow."""

import trio

from exai_trio.daemon.jobs.supervision import Hindered, every
from exai_trio.observability.events import (
    ConnectionClosed,
    ConnectionOpened,
    HelloRefused,
    SessionEnded,
    SessionOpened,
    SessionResumed,
    Troubled,
)
from exai_trio.wire.messages import CallResult

OF_SESSIONS = (SessionOpened, SessionResumed, SessionEnded, ConnectionOpened, ConnectionClosed)


async def test_a_session_that_is_resumed_tells_how_long_its_client_was_away(house, autojump_clock):  # fmt: skip
    """And what it is sent again; in the order in which it happens, each once."""
    heard = []
    async with house(session_grace_s=30.0) as daemon:
        daemon.context.events.add("test", dict.fromkeys(OF_SESSIONS, heard.append))
        async with daemon.connect(session_id="win", client_name="ed") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
        await trio.sleep(5)
        async with daemon.connect(session_id="win", last_seq=1) as (client, _):
            await client.hear_until(CallResult)
            during = daemon.report.meters.snapshot()
        await trio.sleep(60)
        after = daemon.report.meters.snapshot()

    assert [SessionOpened, ConnectionOpened, ConnectionClosed, SessionResumed, ConnectionOpened, ConnectionClosed, SessionEnded] == [type(event) for event in heard]  # fmt: skip
    assert (1, 5.0) == (heard[3].replayed_frames, round(heard[3].away_s))
    assert ("ed", "owner") == (heard[1].client, heard[1].principal)
    assert (1, 1, 1) == tuple(during.total(name) for name in ("resumes_total", "connections_open", "replayed_frames_total"))  # fmt: skip
    assert (0, 0, 1) == tuple(after.total(name) for name in ("sessions", "connections_open", "session_duration_seconds"))  # fmt: skip
    assert {"received", "sent"} == set(after.by("messages_total", "direction"))


async def test_a_refused_hello_is_counted_as_no_proof(house, autojump_clock):
    heard = []
    async with house(ws_token="t" * 40) as daemon:
        daemon.context.events.add("test", {HelloRefused: heard.append})
        async with daemon.connect(token="wrong") as (_, ack):
            refused = ack.ok
        said = daemon.report.meters.snapshot()

    assert (False, [HelloRefused(error="unauthorized")]) == (refused, heard)
    assert {"ok": 0, "unauthorized": 1} == said.by("auth_total", "result")


async def test_each_run_of_a_job_is_told(autojump_clock):
    """Well, hindered or failed."""
    runs, heard = iter([None, Hindered("no disk"), ValueError("bug"), None]), []

    async def job():
        fault = next(runs)
        if fault:
            raise fault

    with trio.move_on_after(4.5):
        await every(1.0, job, ran=heard.append)

    assert [("ok", ""), ("hindered", "no disk"), ("failed", "ValueError('bug')"), ("ok", "")] == [(ran.result, ran.fault) for ran in heard]  # fmt: skip
    assert {"job"} == {ran.job for ran in heard}


async def test_a_trouble_is_news_when_it_begins_and_when_it_is_over(house):
    heard = []
    async with house() as daemon:
        daemon.context.events.add("test", {Troubled: heard.append})
        for text in ("full", "fuller", None, None):
            daemon.report.problems.note("disk", text)

    assert [("disk", "full"), ("disk", None)] == [(event.what, event.text) for event in heard]
