"""The era with sessions: initialize, calls, streams that go on, and their end."""

import attrs
import pytest
import trio
from web import message, nap

from exai_trio.daemon.streamable_http import event_ids
from exai_trio.principals import OWNER

VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_within_a_session(web, autojump_clock, version):
    """Soon told: as JSON."""
    async with web() as site:
        session = await site.initialize(version)
        noted = await site.ask(
            body={"jsonrpc": "2.0", "method": "notifications/initialized"}, **session
        )
        answered = await site.ask(body=nap(0.1, 7), **session)

    assert 202 == noted.status
    assert "application/json" == answered.headers["content-type"]
    assert "slept 0.1" in answered.json["result"]["content"][0]["text"]
    assert 7 == answered.json["id"]


async def test_what_takes_longer_comes_as_events(web, autojump_clock):
    """With progress, if that was asked for, and the answer last; each has an id of its own."""
    async with web() as site:
        session = await site.initialize()
        told = await site.ask(body=nap(9, meta={"progressToken": "p"}), **session)

    ids = [id_ for id_, _ in told.events]
    kinds = [None if m is None else m.get("method", "answer") for _, m in told.events]
    assert None is kinds[0]
    assert "answer" == kinds[-1]
    assert {"notifications/progress"} == set(kinds[1:-1])
    assert len(set(ids)) == len(ids)
    assert "no" == told.headers["x-accel-buffering"]


async def test_an_older_client_hears_no_event_without_data(web, autojump_clock):
    """Before 2025-11-25 one would be a message to it."""
    async with web() as site:
        session = await site.initialize("2025-06-18")
        told = await site.ask(body=nap(3), **session)

    assert [1] == [m["id"] for _, m in told.events]


async def test_a_stream_that_was_cut_goes_on(web, autojump_clock):
    """The call is not cancelled; every event comes once, in order, over any number of cuts."""
    async with web() as site:
        session = await site.initialize()
        body = nap(30, meta={"progressToken": "p"})
        response = site.begin(body=body, **session)
        heard = []
        for _ in range(5):
            await response.wait(lambda r: len(r.events) > 1)
            response.gone.set()
            heard += response.events
            last = heard[-1][0]
            response = site.begin("GET", last_event_id=last, **session)
        await response.wait(lambda r: r.is_whole)
        heard += response.events

    ids = [id_ for id_, _ in heard]
    assert len(set(ids)) == len(ids)
    progress = [m["params"]["progress"] for _, m in heard if m and "method" in m]
    assert sorted(progress) == progress
    assert [1] == [m["id"] for _, m in heard if m and "id" in m]
    assert (1, 0) == (site.house.naps.started, site.house.naps.cancelled)


async def test_a_stream_goes_on_at_the_next_daemon(web, journal, autojump_clock):
    """What was accepted is journalled; its outcome is told by whoever has it."""
    async with web(journal=journal) as site:
        session = await site.initialize()
        response = site.begin(body=nap(20), **session)
        await response.wait(lambda r: r.events)
        (first,) = response.events
    async with web(journal=journal) as site:
        answered = await site.ask("GET", last_event_id=first[0], **session)
        again = await site.ask("GET", last_event_id=first[0], **session)

    assert [1] == [m["id"] for _, m in answered.events if m]
    assert answered.events == again.events


async def test_who_was_cut_before_the_answer_asks_again_by_the_key_of_the_call(web, autojump_clock):
    """The call has ended meanwhile: its outcome is told, under the new id, and it is not run again."""
    meta = {"claudecode/toolUseId": "tool-1"}
    async with web() as site:
        session = await site.initialize()
        cut = site.begin(body=nap(0.5, 1, meta=meta), **session)
        await trio.sleep(0.1)
        cut.gone.set()
        await trio.sleep(5)
        with trio.fail_after(60):
            answered = await site.ask(body=nap(0.5, 2, meta=meta), **session)

    assert 2 == answered.json["id"]
    assert "slept 0.5" in answered.json["result"]["content"][0]["text"]
    assert 1 == site.house.naps.started


async def test_the_last_event_is_not_told_again(web, journal, autojump_clock):
    """At the daemon that told it, nor at the next."""
    async with web(journal=journal) as site:
        session = await site.initialize()
        told = await site.ask(body=nap(5), **session)
        here = await site.ask("GET", last_event_id=told.events[-1][0], **session)
    async with web(journal=journal) as site:
        there = await site.ask("GET", last_event_id=told.events[-1][0], **session)

    assert [] == here.events == there.events


async def test_a_newer_reader_goes_on_where_an_older_one_was(web, autojump_clock):
    """The older is sent away, and the answer comes once."""
    async with web() as site:
        session = await site.initialize()
        older = site.begin(body=nap(20, meta={"progressToken": "p"}), **session)
        await older.wait(lambda r: len(r.events) > 1)
        newer = site.begin("GET", last_event_id=older.events[0][0], **session)
        await older.wait(lambda r: r.is_whole)
        await newer.wait(lambda r: r.is_whole)

    answers = [m for r in (older, newer) for _, m in r.events if m and "id" in m]
    assert [1] == [m["id"] for m in answers]


async def test_a_session_that_fails_takes_no_other_down(web, autojump_clock, monkeypatch, caplog):
    """It is logged once; its streams end, and say when to come again."""
    async with web() as site:
        one, other = await site.initialize(), await site.initialize()
        failing = site.begin(body=nap(20), **one)
        fine = site.begin(body=nap(20), **other)
        await failing.wait(lambda r: r.events)
        desk = await site.desks.find(one["mcp_session_id"], OWNER)
        desk.runner.outbox.put("no frame")
        await failing.wait(lambda r: r.is_whole)
        await fine.wait(lambda r: r.is_whole)
        again = await site.ask("GET", last_event_id=failing.events[0][0], **one)

    assert ["an HTTP session failed"] == [
        r.message for r in caplog.records if r.levelname == "ERROR"
    ]
    assert failing.body.endswith(b"retry: 1000\n\n")
    assert "slept 20" in fine.answer["result"]["content"][0]["text"]
    assert "slept 20" in again.answer["result"]["content"][0]["text"]


async def test_more_sessions_than_there_is_room_for(web, autojump_clock):
    """A new one, and one that comes back, are told to come later; those that are there go on."""
    async with web(max_connections=2, max_connections_per_ip=2) as site:
        first = await site.initialize()
    async with web(max_connections=2, max_connections_per_ip=2) as site:
        there = [await site.initialize() for _ in range(2)]
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        new = await site.ask(body=message("initialize", params))
        back = await site.ask(body=message("ping"), **first)
        fine = await site.ask(body=message("ping"), **there[0])

    assert (503, 503, 200) == (new.status, back.status, fine.status)
    assert "1" == new.headers["retry-after"]


async def test_a_tool_list_that_changed_while_nobody_was_there(web, autojump_clock):
    """Whoever comes next is told the new one."""
    async with web() as site:
        session = await site.initialize()
        await site.ask(body=message("tools/list"), **session)
        site.desks.end(session["mcp_session_id"])
        await trio.sleep(1)
        config = attrs.evolve(site.house.context.config, disabled_tools=frozenset({"nap"}))
        site.house.report.tools.switch(config)
        told = await site.ask(body=message("tools/list"), **await site.initialize())

    assert "nap" not in {tool["name"] for tool in told.json["result"]["tools"]}


async def test_a_request_that_fails_is_answered(web, autojump_clock, monkeypatch, caplog):
    """500, and logged once."""
    async with web() as site:
        session = await site.initialize()

        async def fail(*_args):
            raise ZeroDivisionError

        monkeypatch.setattr(type(site.desks), "find", fail)
        response = await site.ask(body=message("ping"), **session)

    assert (500, -32603) == (response.status, response.json["error"]["code"])
    assert 1 == len([r for r in caplog.records if r.levelname == "ERROR"])


async def test_an_answer_can_be_asked_for_again(web, autojump_clock):
    """By who was cut off before it was whole."""
    async with web() as site:
        session = await site.initialize()
        told = await site.ask(body=nap(5), **session)
        again = await site.ask("GET", last_event_id=told.events[0][0], **session)
        nothing = await site.ask("GET", last_event_id=told.events[-1][0], **session)

    assert told.events[1:] == again.events
    assert [] == nothing.events


async def test_a_stream_that_is_closed_without_its_answer_says_when_to_come_again(
    web, autojump_clock
):
    """The call goes on, and so does its stream elsewhere."""
    async with web() as site:
        session = await site.initialize()
        response = site.begin(body=nap(20), **session)
        await response.wait(lambda r: r.events)
        desk = await site.desks.find(session["mcp_session_id"], OWNER)
        desk.close()
        await response.wait(lambda r: r.is_whole)
        (first,) = response.events
        answered = await site.ask("GET", last_event_id=first[0], **session)

    assert response.body.endswith(b"retry: 1000\n\n")
    assert "slept 20" in answered.answer["result"]["content"][0]["text"]


@pytest.mark.parametrize("told", ["", "junk", "WyJrIiwxLCJ0Iiw5XQ"])
async def test_an_event_that_is_not_known(web, autojump_clock, told):
    """400, also for another session's."""
    async with web() as site:
        session = await site.initialize()
        response = await site.ask("GET", last_event_id=told, **session)

    assert 400 == response.status


async def test_an_event_of_the_future(web, autojump_clock):
    """Nobody has been told it."""
    async with web() as site:
        session = await site.initialize()
        told = await site.ask(body=nap(5), **session)
        place = event_ids.read(told.events[-1][0])
        later = event_ids.Place(place.key, place.id, place.tool, place.number + 1)
        response = await site.ask("GET", last_event_id=event_ids.written(later), **session)

    assert 400 == response.status


async def test_a_cancelled_call_ends_its_stream(web, autojump_clock):
    """Without an answer, by the rule of this era."""
    async with web() as site:
        session = await site.initialize()
        response = site.begin(body=nap(100), **session)
        await response.wait(lambda r: r.events)
        params = {"requestId": 1, "reason": "enough"}
        noted = await site.ask(
            body={"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params},
            **session,
        )
        await response.wait(lambda r: r.is_whole)

    assert 202 == noted.status
    assert [None] == [m for _, m in response.events]
    assert 1 == site.house.naps.cancelled


async def test_a_session_ends_by_delete(web, autojump_clock):
    """What runs in it is cancelled, and nobody finds it any more."""
    async with web() as site:
        session = await site.initialize()
        response = site.begin(body=nap(100), **session)
        await response.wait(lambda r: r.events)
        ended = await site.ask("DELETE", **session)
        await response.wait(lambda r: r.is_whole)
        after = await site.ask(body=message("ping"), **session)

    assert (204, 404) == (ended.status, after.status)
    assert 1 == site.house.naps.cancelled


async def test_an_idle_session_is_found_again(web, autojump_clock):
    """Nothing of it is kept meanwhile, and its id stays good, at the next daemon too."""
    async with web(session_grace_s=60) as site:
        session = await site.initialize()
        await trio.sleep(200)
        assert not site.desks._desks
        answered = await site.ask(body=message("tools/list"), **session)
    async with web() as site:
        later = await site.ask(body=nap(0.1), **session)

    assert {"nap"} <= {tool["name"] for tool in answered.json["result"]["tools"]}
    assert "slept" in later.json["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mcp_session_id": None}, 400),
        ({"mcp_session_id": "http_" + "0" * 24 + "_" + "0" * 32}, 404),
        ({"mcp_session_id": "shim_1"}, 404),
        ({"mcp_protocol_version": "1999-01-01"}, 400),
    ],
)
async def test_a_session_that_is_none(web, autojump_clock, change, status):
    """Missing 400, unknown 404, another version 400."""
    async with web() as site:
        session = await site.initialize()
        response = await site.ask(body=message("ping"), **session | change)

    assert status == response.status


async def test_an_id_is_used_once_at_a_time(web, autojump_clock):
    """The second request is refused, and the first goes on."""
    async with web() as site:
        session = await site.initialize()
        response = site.begin(body=nap(5), **session)
        await response.wait(lambda r: r.events)
        second = await site.ask(body=nap(5), **session)
        await response.wait(lambda r: r.is_whole)

        third = await site.ask(body=nap(0.1), **session)

    assert 400 == second.status
    assert 1 == response.answer["id"]
    assert "slept 0.1" in third.answer["result"]["content"][0]["text"]


async def test_the_stream_of_the_server_hears_of_another_tool_list(web, autojump_clock):
    """Once, however many streams there are: the newest."""
    async with web() as site:
        session = await site.initialize()
        await site.ask(body=message("tools/list"), **session)
        older = site.begin("GET", **session)
        await older.wait(lambda r: r.status)
        newer = site.begin("GET", **session)
        await newer.wait(lambda r: r.status)
        config = attrs.evolve(site.house.context.config, disabled_tools=frozenset({"nap"}))
        site.house.report.tools.switch(config)
        site.desks._tools_changed()
        await newer.wait(lambda r: r.events)
        await older.wait(lambda r: r.is_whole)

    assert ["notifications/tools/list_changed"] == [
        m["method"] for _, m in newer.events if "tools" in m["method"]
    ]
    assert [] == older.events


async def test_each_event_is_told_on_one_of_two_streams(web, autojump_clock):
    """What belongs to a call, on its own; what is said unasked, on the other."""
    async with web(progress_interval_s=1) as site:
        session = await site.initialize()
        await site.ask(body=message("tools/list"), **session)
        listening = site.begin("GET", **session)
        await listening.wait(lambda r: r.status)
        call = site.begin(body=nap(5, 7, meta={"progressToken": 7}), **session)
        await call.wait(lambda r: r.events)
        site.house.report.tools.switch(
            attrs.evolve(site.house.context.config, disabled_tools=frozenset({"nap"}))
        )
        site.desks._tools_changed()
        await call.wait(lambda r: r.is_whole)
        resumed = await site.ask("GET", last_event_id=call.events[0][0], **session)
        listening.gone.set()

    def said(response):
        return [m.get("method", "answer") for _, m in response.events if m]

    assert {"notifications/progress", "answer"} == set(said(call))
    assert said(call) == said(resumed)
    assert ["notifications/tools/list_changed"] == said(listening)


async def test_silence_is_broken(web, autojump_clock):
    """A comment every fifteen seconds, so that nobody between takes the stream for dead."""
    async with web(progress_interval_s=60) as site:
        session = await site.initialize()
        response = await site.ask(body=nap(40), **session)

    assert 2 == response.body.count(b": still here")
