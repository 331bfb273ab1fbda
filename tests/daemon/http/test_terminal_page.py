"""The page of terminals as it is served: its policy, its files, its rules, its logins; and nothing of it where terminals are off."""

import hashlib
import json
import re
import tomllib

import pytest
import trio
from trio.testing import memory_stream_pair

from exai_trio.daemon.http.api import terminal_routes
from exai_trio.transport.websocket import Limits, accept, client_on
from exai_trio.wire.terminal_errors import as_data
from exai_trio.wire.terminal_messages import said

TOKEN = "a-token-of-ours-that-is-long"
FILES = terminal_routes._FILES
ON = {"terminals": "root"}


async def answered(endpoint, frame):
    """What a client hears that says this first."""
    ours, theirs = memory_stream_pair()

    async def serve():
        async with accept(theirs, Limits(), lambda _: None) as socket:
            await endpoint.serve(socket, "127.0.0.1")

    async with trio.open_nursery() as serving:
        serving.start_soon(serve)
        async with client_on(ours, "localhost", Limits(), "/terminal") as socket:
            await socket.send(frame)
            heard = json.loads(await socket.receive())
        serving.cancel_scope.cancel()
    return heard


async def test_the_page_may_ask_this_daemon_and_nobody_else_and_has_the_rules_of_every_client(
    pages,
):
    """Its scripts come from here, and its one further address is the WebSocket; errors and waits are those of the command line."""
    async with pages(**ON) as visitor:
        page = await visitor.get("/terminals")
        port = visitor.daemon.parts.report.port
    policy = page.headers["content-security-policy"]
    rules = json.loads(re.search(rb'id="rules">(.*?)</script>', page.body)[1])

    assert 200 == page.status
    assert f"connect-src 'self' ws://127.0.0.1:{port} wss://127.0.0.1:{port};" in policy
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert {row["code"]: row for row in as_data()} == rules["errors"]
    assert (0.25, 30.0, 5, 30.0) == tuple(rules[name] for name in ("first_s", "longest_s", "in_a_row", "rest_s"))  # fmt: skip


async def test_every_file_that_the_page_names_is_served_and_nothing_besides(pages):
    """Its style sheets, its modules, and what those import."""
    texts = [path.read_text() for path in FILES.glob("*.*")]
    named = {name for text in texts for name in re.findall(r'"/terminals/([^"]+\.(?:m?js|css))"', text)}  # fmt: skip
    async with pages(**ON) as visitor:
        served = {name: await visitor.get(f"/terminals/{name}") for name in named}
        others = [await visitor.get(f"/terminals/{name}") for name in ("terminals.html", "..", "vendor/vendor.toml")]  # fmt: skip

    assert {200} == {one.status for one in served.values()}
    assert {404} == {one.status for one in others}
    assert named == set(terminal_routes._MEDIA)


async def test_where_terminals_are_off_there_is_no_page(pages):
    async with pages() as visitor:
        found = [await visitor.get(path) for path in ("/terminals", "/terminals/terminals.js")]
        found.append(await visitor.as_owner().post("/api/terminals"))

    assert [404, 404, 404] == [one.status for one in found]


@pytest.mark.parametrize(
    ("body", "code"), [({"type": "nonsense"}, 400), ({"project_path": "not/absolute"}, 400)]
)
async def test_a_new_session_is_a_change_and_a_wrong_wish_is_said_with_its_code(pages, body, code):
    async with pages(**ON) as visitor:
        nobody = await visitor.post("/api/terminals", **body)
        owner = await visitor.as_owner().post("/api/terminals", **body)

    assert (401, code) == (nobody.status, owner.status)
    assert "INVALID_REQUEST" == owner.json["error"]["code"]


async def test_a_login_of_a_page_is_a_credential_until_it_is_ended(pages):
    async with pages(**ON) as visitor:
        endpoint = visitor.daemon.parts.terminals
        session = (await visitor.post("/api/login", token=TOKEN)).json["session"]
        during = await answered(endpoint, said("list", session=session))
        await showing(visitor, session).post("/api/logout")
        after = await answered(endpoint, said("list", session=session))

    assert {"op": "sessions", "sessions": []} == during
    assert ("error", "AUTH_ERROR") == (after["op"], after["code"])


def showing(visitor, token):
    return type(visitor)(visitor.site, visitor.daemon, token)


def test_the_libraries_ship_as_they_were_published():
    """Each file with the hash that vendor.toml has, and none besides."""
    known = tomllib.loads((FILES / "vendor/vendor.toml").read_text())
    expected = {name: digest for one in known.values() for name, digest in one["files"].items()}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (FILES / "vendor").iterdir() if path.name != "vendor.toml"}  # fmt: skip

    assert expected == there
