"""Who may read the HTTP side, and what every answer of it says."""

from types import SimpleNamespace

import jwt
import msgspec
import pytest
import trio
from database_in_memory import MemoryDatabase

from exai_trio.access import kept_logins
from exai_trio.access.kept_logins import SqliteLogins
from exai_trio.access.sqlite_registry import SqliteRegistry
from exai_trio.access.token_claims import REGISTERED
from exai_trio.access.token_registry import IssuedToken
from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Authentication, Tokens
from exai_trio.daemon.connections.standings import Standings
from exai_trio.daemon.http.api.login_routes import login_routes
from exai_trio.daemon.http.gate import HEADERS, Gate
from exai_trio.daemon.http.logins import page_logins
from exai_trio.daemon.http.logins.lasting_logins import LastingLogins
from exai_trio.daemon.http.logins.page_logins import CODE_S, SESSION_S, PageLogins
from exai_trio.daemon.http.route_table import Route, RouteTable
from exai_trio.daemon.http.site import Site
from exai_trio.errors import NotFoundError
from exai_trio.wire.hosts import OurNames

TOKEN = "a-token-of-ours-that-is-long"
SECRET = "s" * 40
JSON = {"content-type": "application/json"}


def site_of(clock, *routes, kept=None, standings=None, **settings):
    config = Config(**{"ws_token": TOKEN} | settings)
    auth = Authentication(Tokens(config), standings=standings)
    lasting = None if kept is None else LastingLogins(kept, auth, lambda: clock.now)
    gate = Gate(OurNames.of(config), auth, PageLogins(lambda: clock.now, lasting))
    return Site(gate, RouteTable((*login_routes(gate, auth), *map(_route, routes))))


def _route(gives):
    async def answer(asked):
        if asked.query.get("fail"):
            raise NotFoundError("nothing of that name")
        return {"by": asked.by.principal, "body": dict(asked.body)}

    return Route(method="POST" if gives == "changes" else "GET", path=f"/{gives}", gives=gives, answer=answer)  # fmt: skip


async def ask(site, path, method="GET", body=b"", client="127.0.0.1", *, cut=False, **headers):
    """The status, the headers and the JSON of the answer; `cut`: whoever asks has gone when all of `body` but its end is said."""
    path, _, query = path.partition("?")
    named = {"host": "127.0.0.1:8080"} | {k.replace("_", "-"): v for k, v in headers.items()}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (client, 1),
        "headers": [(name.encode(), value.encode()) for name, value in named.items() if value is not None], "state": {},
    }  # fmt: skip
    sent = []
    events = [{"type": "http.request", "body": body, "more_body": cut}, {"type": "http.disconnect"}]

    async def receive():
        await trio.lowlevel.checkpoint()
        return events.pop(0)

    async def send(event):
        await trio.lowlevel.checkpoint()
        sent.append(event)

    await site(scope, receive, send)
    told = dict(sent[0]["headers"])
    return SimpleNamespace(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in told.items()},
        json=msgspec.json.decode(sent[1]["body"]) if sent[1]["body"] else None,
    )


async def login(site, **shown):
    answer = await ask(site, "/api/login", "POST", msgspec.json.encode(shown), **JSON)
    return answer.status, (answer.json or {}).get("session", "")


def clock():
    return SimpleNamespace(now=1_790_000_000.0)


FOREIGN = {"sec_fetch_site": "cross-site"}
LINK = FOREIGN | {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
OURS = {"authorization": f"Bearer {TOKEN}"}
FAR = {"client": "192.0.2.1"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/figures", {}, 200),
        ("/figures", {"client": "::1"}, 200),
        ("/figures", FAR, 401),
        ("/figures", FAR | {"authorization": "Bearer wrong"}, 401),
        ("/figures", FAR | OURS, 200),
        ("/figures", {"x_forwarded_for": "192.0.2.1"}, 401),
        ("/figures", {"host": "evil.example"}, 403),
        ("/figures", {"host": None}, 403),
        ("/health/none", {"host": None}, 404),
        ("/health/none", {"host": "evil.example"}, 403),
        ("/figures", {"origin": "https://evil.example"}, 403),
        ("/figures", {"origin": "http://127.0.0.1:8080", "sec_fetch_site": "same-origin"}, 200),
        ("/figures", FOREIGN, 403),
        ("/figures", {"sec_fetch_site": "same-site"}, 403),
        ("/figures", LINK, 200),
        ("/open", FAR, 200),
        ("/texts", {}, 401),
        ("/texts", {"authorization": "Bearer page_made-up"}, 401),
        ("/texts", OURS, 200),
        ("/changes", {}, 405),
        ("/nothing", OURS, 404),
        ("/figures?fail=1", {}, 404),
    ],
)
async def test_who_may_have_what(path, headers, status):
    """Figures are free on this machine alone; texts want a login there too; foreign pages get nothing, whoever asks."""
    site = site_of(clock(), "open", "figures", "texts", "changes")

    answer = await ask(site, path, **headers)

    assert status == answer.status
    assert HEADERS.items() <= answer.headers.items()


@pytest.mark.parametrize("port", ["monitoring_port", "incidents_port", "health_check_port"])
def test_the_pages_of_each_port_are_ours(port):
    """A browser says from where it loads a module."""
    names = OurNames.of(Config(**{"monitoring_port": 0, "incidents_port": 0, "health_check_port": 0, port: 8081}))  # fmt: skip
    origins = (b"http://127.0.0.1:8081", b"http://127.0.0.1:8082")
    found = [names.refusal([(b"host", b"127.0.0.1:8081"), (b"origin", one)]) for one in origins]

    assert [None, 403] == [refusal and refusal.status for refusal in found]


async def test_a_change_is_json_and_wants_a_login():
    site = site_of(clock(), "changes")
    statuses = [
        (await ask(site, "/changes", "POST", body, **headers)).status
        for body, headers in [
            (b"{}", JSON),
            (b"{}", OURS),
            (b"{}", OURS | {"content_type": "text/plain"}),
            (b"[1]", OURS | JSON),
            (b'{"a": ', OURS | JSON),
            (b" " * 2_000_000, OURS | JSON),
            (b'{"a": 1}', OURS | JSON),
        ]
    ]

    assert [401, 415, 415, 400, 400, 413, 200] == statuses


async def test_a_change_whose_body_was_cut_off_is_not_made():
    """What came may be JSON, and nothing at all would be a change without arguments."""
    site = site_of(clock(), "changes")
    answers = [
        await ask(site, "/changes", "POST", body, cut=True, **OURS, **JSON)
        for body in (b"", b'{"a": 1}')
    ]

    assert [400, 400] == [answer.status for answer in answers]


async def test_a_code_opens_one_session_once_and_within_a_minute():
    time = clock()
    site = site_of(time, "texts")
    refused = await ask(site, "/api/login/code", "POST", b"{}", **JSON)
    codes = [
        (await ask(site, "/api/login/code", "POST", b"{}", **JSON, **OURS)).json["code"]
        for _ in range(2)
    ]

    first, again = await login(site, code=codes[0]), await login(site, code=codes[0])
    time.now += CODE_S
    late = await login(site, code=codes[1])

    assert (401, 200, 401, 401) == (refused.status, first[0], again[0], late[0])
    assert 200 == (await ask(site, "/texts", authorization=f"Bearer {first[1]}")).status


async def test_a_session_ends_by_logout_by_time_and_with_the_token_it_began_with():
    time = clock()
    site = site_of(time, "texts")
    statuses = []
    for end in ("logout", "time", "rotation"):
        _, session = await login(site, token=TOKEN)
        bearer = {"authorization": f"Bearer {session}"}
        before = await ask(site, "/texts", **bearer)
        if end == "logout":
            await ask(site, "/api/logout", "POST", b"{}", **JSON, **bearer)
        elif end == "time":
            time.now += SESSION_S
        else:
            by = site.gate.auth.tokens.identify(TOKEN, None)
            await site.gate.auth.tokens.rotate(TOKEN, "another-token-of-ours", by)
        statuses.append((before.status, (await ask(site, "/texts", **bearer)).status))

    assert [(200, 401)] * 3 == statuses
    assert session not in repr(site.gate)


async def after_restart(time, kept, **settings):
    site = site_of(time, "texts", kept=kept, **settings)
    await site.gate.logins.lasting.read()
    return site


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 200),
        ("logout", 401),
        ("time", 401),
        ("time after it", 401),
        ("other token", 401),
        ("none wanted", 401),
    ],
)
async def test_a_login_outlives_the_daemon_and_ends_with_its_token(end, status):
    """By code, too; also where the token was changed while no daemon ran. Nothing of it stands in the store."""
    time, database = clock(), MemoryDatabase()
    kept = SqliteLogins(database)
    site = site_of(time, "texts", kept=kept)
    code = (await ask(site, "/api/login/code", "POST", b"{}", **JSON, **OURS)).json["code"]
    _, session = await login(site, code=code)
    bearer = {"authorization": f"Bearer {session}"}
    if end == "logout":
        await ask(site, "/api/logout", "POST", b"{}", **JSON, **bearer)
    time.now += SESSION_S if end == "time" else 60
    changed = {"other token": {"ws_token": "another-token-of-ours"}, "none wanted": {"ws_token": "none"}}.get(end, {})  # fmt: skip
    site = await after_restart(time, kept, **changed)
    time.now += SESSION_S if end == "time after it" else 0
    found = [(await ask(site, "/texts", **bearer)).status for _ in range(2)]
    stored = "\n".join(database.connection.iterdump())

    assert [status, status] == found
    assert not [secret for secret in (session, TOKEN, code) if secret in stored]


async def test_there_are_so_many_logins_and_the_oldest_go(monkeypatch):
    """Also in the store, where those that are over go first."""
    monkeypatch.setattr(page_logins, "_MOST_SESSIONS", 2)
    monkeypatch.setattr(kept_logins, "MOST", 2)
    time, kept = clock(), SqliteLogins(MemoryDatabase())
    site = site_of(time, "texts", kept=kept)
    sessions = []
    for _ in range(3):
        sessions.append((await login(site, token=TOKEN))[1])
        time.now += 1
    again = await after_restart(time, kept)
    found = [
        [
            (await ask(one, "/texts", authorization=f"Bearer {session}")).status
            for one in (site, again)
        ]
        for session in sessions
    ]
    time.now += SESSION_S
    await login(site, token=TOKEN)

    assert [[401, 401], [200, 200], [200, 200]] == found
    assert 1 == len(await kept.all(0))


@pytest.mark.parametrize(("later", "status"), [(SECRET, 200), ("t" * 40, 401), ("", 401)])
async def test_a_login_by_jwt_ends_with_the_key_that_signed_it(later, status):
    time, kept = clock(), SqliteLogins(MemoryDatabase())
    site = site_of(time, "texts", kept=kept, jwt_secret_key=SECRET)
    shown = jwt.encode({"sub": "ann", "exp": 4e9, "role": "viewer"}, SECRET)
    _, session = await login(site, token=shown)
    site = await after_restart(time, kept, jwt_secret_key=later)
    found = await ask(site, "/texts", authorization=f"Bearer {session}")

    assert status == found.status
    assert (status != 200) or found.json["by"] == "jwt:ann"


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_login_by_a_token_of_the_registry_is_taken_up_once_that_is_read(revoked):
    """And not if the token was revoked while no daemon ran."""
    time, database = clock(), MemoryDatabase()
    registry, kept = SqliteRegistry(database), SqliteLogins(database)
    issued = IssuedToken(id="t1", subject="ann", role="user", scope="", key_id="", issued_at=time.now, ends=4e9)  # fmt: skip
    await registry.add(issued)
    shown = jwt.encode({"sub": "ann", "exp": 4e9, "jti": "t1", REGISTERED: 1}, SECRET)
    standings = Standings(registry, lambda: time.now, lambda *_: None)
    await standings.look()
    site = site_of(time, "texts", kept=kept, standings=standings, jwt_secret_key=SECRET)
    _, session = await login(site, token=shown)
    if revoked:
        await registry.revoke("t1", time.now)
    again = Standings(registry, lambda: time.now, lambda *_: None)
    site = await after_restart(time, kept, standings=again, jwt_secret_key=SECRET)
    bearer = {"authorization": f"Bearer {session}"}
    before = (await ask(site, "/texts", **bearer)).status
    await again.look()

    assert (401, 401 if revoked else 200) == (before, (await ask(site, "/texts", **bearer)).status)


async def test_where_no_token_is_wanted_none_is_a_login():
    """What lets everybody in says of nobody who it is."""
    site = site_of(clock(), "figures", "texts", ws_token="none")

    assert 200 == (await ask(site, "/figures")).status
    assert 401 == (await ask(site, "/texts", authorization="Bearer anything")).status
    assert 401 == (await login(site, token="anything"))[0]
