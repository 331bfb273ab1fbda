"""Requests that are none, and requests of those who may not: a status, a reason, and nobody else is harmed."""

import jwt
import pytest
import trio
from web import BOTH, OWNERS_TOKEN, message, nap


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"[1]", 400, -32600),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
            400,
            -32700,
        ),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
        (b'"text"', 400, -32600),
        (b'{"id":1}', 400, -32600),
        (b"\xff\xfe", 400, -32700),
        (b"[" * 100_000, 400, -32700),
    ],
)
async def test_a_body_that_is_not_one_message(web, autojump_clock, body, status, code):
    """Of two documents, or a batch, none is heard."""
    async with web() as site:
        session = await site.initialize()
        response = await site.ask(body=body, **session)
        fine = await site.ask(body=nap(0.1), **session)

    assert (status, code) == (response.status, response.json["error"]["code"])
    assert 200 == fine.status


@pytest.mark.parametrize(
    ("method", "change", "status"),
    [
        ("POST", {"content_type": "text/plain"}, 415),
        ("POST", {"content_type": None}, 415),
        ("POST", {"content_type": "application/json; charset=utf-8"}, 200),
        ("POST", {"accept": None}, 406),
        ("POST", {"accept": "application/json"}, 406),
        ("POST", {"accept": "text/event-stream"}, 406),
        ("POST", {"accept": "*/*"}, 200),
        ("POST", {"accept": "application/*, text/*;q=0.5"}, 200),
        ("GET", {"accept": "application/json"}, 406),
        ("PUT", {}, 405),
        ("PATCH", {}, 405),
    ],
)
async def test_types_and_methods(web, autojump_clock, method, change, status):
    """Both kinds of answer must be welcome."""
    async with web() as site:
        session = await site.initialize()
        response = await site.ask(method, body=message("ping"), **session | change)

    assert status == response.status


async def test_another_path(web, autojump_clock):
    """404."""
    async with web() as site:
        response = await site.ask(path="/other", body=message("ping"))

    assert 404 == response.status


async def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known(web, autojump_clock):
    """By its length, or by what has come of it: the rest is not waited for."""
    async with web(most_bytes=1000) as site:
        told = await site.ask(body=b"x" * 10, content_length="1001")
        response = site.begin(parts=[b"x" * 600, b"x" * 600, *[b"x"] * 10_000])
        await response.wait(lambda r: r.is_whole)

    assert [413, 413] == [told.status, response.status]


async def test_a_body_that_never_ends(web, autojump_clock):
    """408 after half a minute."""
    async with web() as site:
        began = trio.current_time()

        never = trio.Event()
        response = site.begin(parts=None)
        sent = []

        async def receive():
            if sent:
                await never.wait()
            sent.append(1)
            return {"type": "http.request", "body": b"{", "more_body": True}

        scope = {
            "type": "http", "method": "POST", "path": "/mcp", "query_string": b"",
            "headers": [
                (b"host", b"localhost"), (b"authorization", f"Bearer {OWNERS_TOKEN}".encode()),
                (b"content-type", b"application/json"), (b"accept", BOTH.encode()),
            ],
            "server": ("localhost", 1), "state": {"transport": None},
        }  # fmt: skip
        await site.endpoint(scope, receive, response.take)
        took = trio.current_time() - began

    assert 408 == response.status
    assert 29 < took < 31


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": None}, 401),
        ({"token": "wrong-token-of-nobody"}, 401),
        ({"token": None, "authorization": "Basic abc"}, 401),
        ({"token": None, "authorization": f"bearer {OWNERS_TOKEN}"}, 200),
        ({"path": f"/mcp?access_token={OWNERS_TOKEN}", "token": None}, 400),
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
    ],
)
async def test_who_may_not(web, autojump_clock, change, status):
    """A token in the URL is not even looked at."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    async with web() as site:
        response = await site.ask(body=message("initialize", params), **change)

    assert status == response.status
    if status == 401:
        assert "Bearer" in response.headers["www-authenticate"]


async def test_sessions_and_events_are_of_their_principal(web, autojump_clock):
    """Another's session is not found, nor a stream of it; that of a wrong token is not even looked for."""
    secret = "s" * 32
    ada, bob = (
        jwt.encode({"sub": name, "exp": 4_000_000_000}, secret, algorithm="HS256")
        for name in ("ada", "bob")
    )
    async with web(jwt_secret_key=secret) as site:
        hers = await site.initialize(token=ada)
        told = await site.ask(body=nap(5), token=ada, **hers)
        his = await site.initialize(token=bob)
        event = told.events[0][0]
        seen = [
            (await site.ask(body=nap(1), token=bob, **hers)).status,
            (await site.ask("GET", token=bob, last_event_id=event, **hers)).status,
            (await site.ask("GET", token=bob, last_event_id=event, **his)).status,
            (await site.ask("DELETE", token=bob, **hers)).status,
        ]
        still = await site.ask("GET", token=ada, last_event_id=event, **hers)

    assert [404, 404, 400, 404] == seen
    assert 200 == still.status


async def test_pages_of_allowed_origins_may_read(web, autojump_clock):
    """And are told so before they ask; others are not."""
    page = "https://app.example"
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    async with web(allowed_origins=frozenset({page})) as site:
        ask = {"origin": page, "access_control_request_method": "POST"}
        before = await site.ask("OPTIONS", token=None, **ask)
        response = await site.ask(body=message("initialize", params), origin=page)

    assert 204 == before.status
    assert "mcp-session-id" in before.headers["access-control-allow-headers"]
    assert page == before.headers["access-control-allow-origin"]
    assert "mcp-session-id" in response.headers["access-control-expose-headers"]


@pytest.mark.real  # for its thousand sessions, not for any process
async def test_many_streams_that_nobody_reads_harm_nobody(web, autojump_clock):
    """Each is a waiting task: who asks beside a thousand is answered."""
    async with web(max_connections=1_001, max_connections_per_ip=1_001) as site:
        sessions = [await site.initialize() for _ in range(1_000)]
        streams = [site.begin("GET", **session) for session in sessions]
        for stream in streams:
            await stream.wait(lambda r: r.status)
        response = await site.ask(body=nap(0.1), **sessions[0])
        for stream in streams:
            stream.gone.set()

    assert 200 == response.status
