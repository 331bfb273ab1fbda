"""Roles and owners on every route, command and op: the tables themselves say what is tried, so that a new one cannot be forgotten."""

import json
import re
from contextlib import asynccontextmanager

import trio
from routes_of_a_daemon import FAR, LOGINS, MARK, NEAR, TOKEN, of, serve_app

from exai_trio.daemon.http.feed import feed as feed_module
from exai_trio.daemon.http.feed.feed_commands import _NAMES as COMMANDS
from exai_trio.storage.base import Turn
from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import CLIENT_MESSAGES
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ErrorReply,
    PayloadGet,
)

ASKERS = {
    "nobody far": ("", FAR),
    "nobody here": ("", NEAR),
    "a wrong token": ("wrong-token-of-nobody", FAR),
    "viewer": (of("vic", "viewer"), FAR),
    "the owner as a viewer": (of("exai", "viewer"), FAR),
    "user": (of("uma"), FAR),
    "admin": (of("amy", "admin"), FAR),
    "owner": (TOKEN, FAR),
}
# What each may have, by what a route gives.
MAY = {
    "nobody far": {"open"},
    "nobody here": {"open", "figures"},
    "a wrong token": {"open"},
    "viewer": {"open", "figures", "texts"},
    "the owner as a viewer": {"open", "figures", "texts"},
    "user": {"open", "figures", "texts", "changes"},
    "admin": {"open", "figures", "texts", "changes", "administration"},
    "owner": {"open", "figures", "texts", "changes", "administration"},
}


async def test_each_role_has_what_a_route_gives_and_nothing_more(place):
    """401 for who is nobody, 403 for whose role does not allow it, on all three ports."""
    wrong = []
    async with place() as here:
        for port, route in here.routes():
            if route.path in LOGINS:
                continue
            path = re.sub(r"\{\w+\}", "nothing", route.path)
            for who, (token, client) in ASKERS.items():
                answer = await here.ask(port, route.method, path, token, client=client)
                refused = 401 if who.startswith(("nobody", "a wrong")) else 403
                expected = answer.status if route.gives in MAY[who] else refused
                if answer.status != expected or (expected not in {401, 403}) != (route.gives in MAY[who]):  # fmt: skip
                    wrong.append((port, route.method, route.path, who, answer.status))

    assert [] == wrong


async def test_a_change_without_an_id_of_ones_own_is_administration(place):
    """Whoever adds one that is not says here whose it is: a terminal is new, and its maker's."""
    async with place() as here:
        wide = {route.path for _, route in here.routes() if route.gives == "changes" and "{id}" not in route.path}  # fmt: skip

    assert {"/api/terminals"} == wide


# Parts of paths that are nobody's.
OF_ALL = {"version", "file", "name"}


@asynccontextmanager
async def with_anns(here):
    """What ann has: a call that runs, one that has ended, a session, a conversation, and a quota."""
    now = here.daemon.context.clock.now()
    who = f"jwt:{MARK}"
    store = here.daemon.environment.services.conversations.of(who)
    await store.append(f"{MARK}-thread", (Turn(role="user", text=MARK, tool="chat", at=now),), now, now + 9_999)  # fmt: skip
    async with here.daemon.connect(jwt=of(MARK), session_id=MARK, client_name=MARK) as (
        client,
        ack,
    ):
        await client.nap("r1", chunks=[MARK])
        await client.hear_until(CallResult)
        await here.daemon.parts.keeping.flush_calls()
        await client.nap("r2", seconds=500, chunks=[MARK])
        await client.hear_until(CallAccepted)
        await trio.testing.wait_all_tasks_blocked()
        calls = json.loads((await here.ask("pages", "GET", "/api/calls", of(MARK))).body)
        here.anns = {
            "running": calls["running"][0]["id"], "ended": calls["rows"][0]["id"], "session": ack.session_id,
            "thread": f"{MARK}-thread", "principal": who,
        }  # fmt: skip
        yield client


async def test_anothers_id_is_one_that_never_existed(place):
    """Every route with an id, for a user and a viewer, with each of ann's ids: the answer of an id that nobody has; and ann has
    everything afterwards."""
    found, tried = [], 0
    async with place() as here, with_anns(here) as ann:
        for port, route in here.routes():
            parts = set(re.findall(r"\{(\w+)\}", route.path)) - OF_ALL
            if not parts or route.gives == "open":  # the page itself is the same for all
                continue
            assert {"id"} == parts, f"whose is {route.path}?"
            for token in (of("bob"), of("vic", "viewer")):
                for own in here.anns.values():
                    answers = [
                        await here.ask(port, route.method, route.path.replace("{id}", id_), token)
                        for id_ in (own, "q" * len(own))
                    ]
                    tried += 1
                    told = [(one.status, MARK.encode() in one.body.replace(own.encode(), b"")) for one in answers]  # fmt: skip
                    if told[0] != told[1] or told[0][0] not in {400, 403, 404} or told[0][1]:
                        found.append((port, route.method, route.path, own, told))
        own = {
            route.path: (await here.ask(port, "GET", route.path.replace("{id}", here.anns[kind]), of(MARK))).status
            for kind, pattern in {"running": "/api/calls/{id}", "thread": "/api/conversations/{id}", "principal": "/api/usage/{id}"}.items()
            for port, route in here.routes() if route.path == pattern
        }  # fmt: skip
        still = [session.id for session in here.daemon.sessions.table.values()]
        await ann.say(Cancel(request_id="r2"))
        ended = await ann.hear_until(CallFailed)

    assert [] == found
    assert tried > 100
    assert {200} == set(own.values())
    assert ([here.anns["session"]], "CANCELLED") == (still, ended.error.code)


async def test_no_list_shows_anything_of_anothers(place):
    """Every route without an id, for a user, a viewer and whoever is here: no id, word, name or session of ann's."""
    found, seen = [], set()
    async with place() as here, with_anns(here):
        for port, route in here.routes():
            if route.method == "GET" and "{" not in route.path:
                for token in (of("bob"), of("vic", "viewer"), ""):
                    answer = await here.ask(port, "GET", route.path, token)
                    words = {MARK, *(here.anns[kind] for kind in ("session", "thread"))}
                    if any(word.encode() in answer.body for word in words):
                        found.append((port, route.path, token[:9]))
                hers = await here.ask(port, "GET", route.path, of(MARK))
                if MARK.encode() in hers.body:
                    seen.add(route.path)

    assert [] == found
    assert {"/api/sessions", "/api/conversations"} <= seen


SAID = {
    "get_stats": {}, "get_recent_events": {"limit": 100}, "get_historical_data": {"hours": 1}, "get_time_series": {"hours": 1},
    "export": {"hours": 1, "path": MARK[:3]}, "subscribe": {"topics": ["overview", "event", "session_metrics", "semaphore_metrics", "websocket_health"]},
    "pause": {"paused": False}, "auth": {"token": of("bob")},
}  # fmt: skip


async def test_the_feed_tells_nothing_of_anothers(place, monkeypatch):
    """Each of its commands, and what it pushes, to somebody else."""
    heard = []
    monkeypatch.setattr(feed_module, "_TICK_S", 0.05)
    async with place() as here, trio.open_nursery() as serving:
        assert set(SAID) == COMMANDS
        port = await serve_app(here.apps["pages"], serving)
        async with with_anns(here), connect("127.0.0.1", port, Limits(), "/ws") as socket:  # fmt: skip
            for command, more in SAID.items():
                await socket.send(json.dumps({"command": command, **more}))
            with trio.fail_after(20):
                while not any('"overview"' in one[:40] for one in heard) or len(heard) < len(SAID):
                    heard.append(str(await socket.receive()))
        serving.cancel_scope.cancel()

    assert not [one for one in heard if MARK in one]


async def test_no_op_reaches_anothers_call_or_result(place):
    """Each op that names something, by ann's name for it: what is said of a name that nobody has, and she goes on."""
    answers = []
    async with place() as here, with_anns(here) as ann:
        async with here.daemon.connect(jwt=of("bob"), session_id=MARK) as (bob, ack):
            for name in ("r2", "q2"):
                await bob.say(Cancel(request_id=name))
                answers.append((await bob.hear_until(ErrorReply)).error.code)
            for name in (MARK, "nobody"):
                await bob.say(PayloadGet(request_id="p", transaction_id=name, offset=0))
                answers.append((await bob.hear_until(ErrorReply)).error.code)
            for name in (here.anns["running"], here.anns["ended"], "call_" + "0" * 24):
                await bob.say(CallTool(request_id=f"get {name}", name="result", arguments={"call_id": name, "wait_s": 0}))  # fmt: skip
                answers.append((await bob.hear_until(CallFailed)).error.code)
            theirs = ack.session_id
        await ann.say(Cancel(request_id="r2"))
        ended = await ann.hear_until(CallFailed)

    assert MARK != theirs
    assert {"NOT_FOUND"} == set(answers), answers
    assert "CANCELLED" == ended.error.code
    # Whoever adds an op that names something tries it here.
    assert set(CLIENT_MESSAGES) == {
        "hello", "list_tools", "call_tool", "tool_call", "cancel", "ack", "ping", "health", "rotate_token", "payload_get", "payload_ack",
    }  # fmt: skip
