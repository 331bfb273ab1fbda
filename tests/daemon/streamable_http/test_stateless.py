"""The era without sessions: each request says all about itself, and its client's leaving is its cancel."""

import attrs
import pytest
import trio
from web import META, MODERN, message, modern, nap

from exai_trio.mcp.versions import VERSION_KEY

KEY = {"claudecode/toolUseId": "toolu_1"}


async def test_a_call_needs_nothing_before_it(web, autojump_clock):
    """And the answer bears the marks of its era."""
    body, headers = modern(nap(0.1, 3))
    async with web() as site:
        answered = await site.ask(body=body, **headers)

    assert (200, 3) == (answered.status, answered.json["id"])
    assert "complete" == answered.json["result"]["resultType"]
    assert "mcp-session-id" not in answered.headers


async def test_a_client_that_leaves_cancels(web, autojump_clock):
    """Within a second; another's call of the same kind goes on."""
    body, headers = modern(nap(30))
    async with web() as site:
        leaving, staying = site.begin(body=body, **headers), site.begin(body=body, **headers)
        await trio.sleep(5)
        leaving.gone.set()
        began = trio.current_time()
        while not site.house.naps.cancelled:
            await trio.sleep(0.01)
        took = trio.current_time() - began
        await staying.wait(lambda r: r.is_whole)

    assert took < 1
    assert 1 == site.house.naps.cancelled
    assert 1 == staying.answer["id"]


async def test_a_client_that_leaves_before_anything_was_told_cancels_too(web, autojump_clock):
    """In the first second, in which an answer would come as JSON."""
    body, headers = modern(nap(60))
    async with web() as site:
        response = site.begin(body=body, **headers)
        await trio.sleep(0.5)
        response.gone.set()
        await trio.sleep(0.4)

    assert 1 == site.house.naps.cancelled


async def test_a_client_may_leave_at_any_moment(web, autojump_clock, cancel_at_every_step):
    """Whatever is being done for it then: within a second its call is cancelled, if it was begun."""
    body, headers = modern(nap(2.5))  # as one answer is waited for, and as events are
    async with web() as site:
        naps = site.house.naps

        async def asks_until_it_leaves():
            response = site.begin(body=body, **headers)
            try:
                await response.wait(lambda r: r.is_whole)
            finally:
                response.gone.set()
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)

        def nothing_runs():
            assert naps.started == naps.cancelled + naps.finished

        await cancel_at_every_step(asks_until_it_leaves, nothing_runs)

    assert naps.cancelled > naps.finished > 0


async def test_a_call_that_was_answered_with_a_handle_goes_on(web, autojump_clock):
    """It is not cancelled when its client is gone."""
    body, headers = modern(nap(100))
    async with web() as site:
        response = await site.ask(body=body, **headers)
        response.gone.set()
        await trio.sleep(100)

    assert "call_" in response.answer["result"]["content"][0]["text"]
    assert (1, 0) == (site.house.naps.finished, site.house.naps.cancelled)


async def test_the_same_key_joins(web, autojump_clock):
    """One run, two answers; cancelled only when both have left."""
    body, headers = modern(nap(10, meta=KEY))
    other = {**body, "id": 2}
    async with web() as site:
        first, second = site.begin(body=body, **headers), site.begin(body=other, **headers)
        await trio.sleep(5)
        first.gone.set()
        await second.wait(lambda r: r.is_whole)

    assert 2 == second.answer["id"]
    assert (1, 1, 0) == (
        site.house.naps.started,
        site.house.naps.finished,
        site.house.naps.cancelled,
    )


async def test_the_same_key_finds_its_outcome_at_the_next_daemon(web, journal, autojump_clock):
    """A call without a key ends with its daemon, and is not run again."""
    body, headers = modern(nap(20, meta=KEY))
    bare, bare_headers = modern(nap(20, 9))
    async with web(journal=journal) as site:
        kept, lost = site.begin(body=body, **headers), site.begin(body=bare, **bare_headers)
        await kept.wait(lambda r: r.status)
        await lost.wait(lambda r: r.status)
    async with web(journal=journal) as site:
        answered = await site.ask(body=body, **headers)
        await trio.sleep(100)

    assert "slept 20" in answered.answer["result"]["content"][0]["text"]
    assert 1 == site.house.naps.started


async def test_the_session_behind_is_left_when_nobody_asks(web, autojump_clock):
    """One for each principal would stay for ever; the next request has another."""
    body, headers = modern(nap(0.1))
    async with web(session_grace_s=60) as site:
        await site.ask(body=body, **headers)
        assert site.desks._shared
        await trio.sleep(100)
        assert not site.desks._shared
        await trio.sleep(100)  # its outcomes wait for who comes back
        assert 0 == len(site.house.sessions.table)
        again = await site.ask(body=body, **headers)

    assert 200 == again.status


@pytest.mark.parametrize("method", ["tools/list", "prompts/list", "server/discover"])
async def test_what_is_asked_is_told_at_once(web, autojump_clock, method):
    """As JSON."""
    body, headers = modern(message(method))
    async with web() as site:
        answered = await site.ask(body=body, **headers)

    assert 200 == answered.status
    assert "complete" == answered.json["result"]["resultType"]


async def test_a_subscription_hears_of_another_tool_list(web, autojump_clock):
    """It stays open until its client leaves."""
    body, headers = modern(
        message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    )
    async with web() as site:
        response = site.begin(body=body, **headers)
        await response.wait(lambda r: r.events)
        config = attrs.evolve(site.house.context.config, disabled_tools=frozenset({"nap"}))
        site.house.report.tools.switch(config)
        site.desks._tools_changed()
        await response.wait(lambda r: len(r.events) > 1)
        response.gone.set()

    methods = [m["method"] for _, m in response.events]
    assert [
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
    ] == methods


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mcp_protocol_version": None}, 400, -32020),
        ({"mcp_protocol_version": "2025-11-25"}, 400, -32020),
        ({"mcp_method": None}, 400, -32020),
        ({"mcp_method": "tools/list"}, 400, -32020),
        ({"mcp_name": None}, 400, -32020),
        ({"mcp_name": "chat"}, 400, -32020),
        ({"mcp_name": "=?base64?!?="}, 400, -32020),
        ({"mcp_name": "=?base64?bmFw?="}, 200, 0),
    ],
)
async def test_headers_must_say_what_the_body_says(web, autojump_clock, change, status, code):
    """Else a proxy between would have decided by another request than ours."""
    body, headers = modern(nap(0.1))
    async with web() as site:
        response = await site.ask(body=body, **headers | change)

    assert status == response.status
    assert code == response.json.get("error", {}).get("code", 0)


@pytest.mark.parametrize(
    "case",
    [
        ("no/such", META, MODERN, (404, -32601)),
        ("initialize", META, MODERN, (404, -32601)),
        ("tools/call", META, MODERN, (400, -32602)),
        ("tools/list", {}, MODERN, (400, -32602)),
        ("tools/list", {VERSION_KEY: MODERN}, MODERN, (400, -32602)),
        ("tools/list", META | {VERSION_KEY: "2099-01-01"}, "2099-01-01", (400, -32022)),
    ],
)
async def test_faults_have_a_status(web, autojump_clock, case):
    """By the rules of the era."""
    method, meta, version, expected = case
    headers = {"mcp_protocol_version": version, "mcp_method": method}
    async with web() as site:
        response = await site.ask(body=message(method, {"_meta": meta}), **headers)

    assert expected == (response.status, response.json["error"]["code"])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_nothing_to_get(web, autojump_clock, method):
    """405."""
    async with web() as site:
        response = await site.ask(method, mcp_protocol_version=MODERN)

    assert 405 == response.status
    assert "POST" == response.headers["allow"]
