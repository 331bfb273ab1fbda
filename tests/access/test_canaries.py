"""No secret of access is in anything that a daemon or a command writes, shows or says: each is looked for by its own text."""

import json
import urllib.error
import urllib.request

import pytest
import trio
from free_ports import free_port
from redis_server import redis_server
from test_real_tokens import home_at

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

TOKEN, PASSWORD = "canary-token-of-the-home", "canary-of-redis"
WRONG = ("canary-that-is-no-token", "canaryhead.canarybody.canarysign")


def ask(pages, path, token="", body=None):
    """The answer's text, whatever its status."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})  # fmt: skip
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{pages}{path}", data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - ours
            return answer.read().decode()
    except urllib.error.HTTPError as fault:
        return fault.read().decode()


PATHS = (
    "/", "/metrics", "/status", "/api/overview", "/api/settings", "/api/logs?limit=1000", "/api/access?limit=200", "/api/sessions", "/api/calls",
    "/api/incidents", "/api/alerts", "/api/me", "/api/storage", "/api/usage?by=principal", "/api/usage/jwt:ann", "/api/incidents/nothing",
)  # fmt: skip


async def test_no_secret_is_anywhere(tmp_path):
    """Tokens right and wrong, a code, a page's session, keys and Redis's password: not in files, pages, metrics, what commands print, or
    the list of processes; also once Redis is away and everything fails."""
    pages = free_port()
    async with redis_server("--requirepass", PASSWORD) as server:
        url = server.url.replace("//", f"//:{PASSWORD}@")
        home = home_at(tmp_path, EXAI_WS_TOKEN=TOKEN, REDIS_URL=url, MONITORING_PORT=str(pages), LOG_LEVEL="DEBUG")  # fmt: skip
        issued = home.exai("token", "issue", "ann", "--calls-per-minute", "1")
        with home.serving() as daemon:
            secrets, said = await _use_it(home, pages, issued)
            for part in ("cmdline", "status"):
                said.append(await trio.Path(f"/proc/{daemon.pid}/{part}").read_text())
            server.kill()
            async with home.client(jwt=issued) as (_, ack):
                said.append(str(ack))
            said += [ask(pages, path, secrets["session"]) for path in PATHS]
            ask(pages, "/api/logout", secrets["session"], {})
    everything = home.everything() + "\n".join(said).encode()

    assert b"hello" in everything
    assert b"registry of tokens" in everything
    assert [] == [name for name, text in secrets.items() if text.encode() in everything]


async def _use_it(home, pages, issued):
    """The secrets by name, and what was said while they were shown."""
    async with home.admitted(jwt=issued) as (_, ack):
        assert ack.ok
    for wrong in WRONG:
        async with home.client(token=wrong) as (_, ack):
            assert not ack.ok
    code = json.loads(ask(pages, "/api/login/code", TOKEN, {}))["code"]
    session = json.loads(ask(pages, "/api/login", body={"code": code}))["session"]
    said = [ask(pages, "/api/login", body={"token": wrong}) for wrong in (*WRONG, code)]
    said += [ask(pages, "/api/usage/jwt:ann", wrong) for wrong in WRONG]
    said += [ask(pages, path, session) for path in PATHS]
    said += [home.exai(*words) for words in (["config"], ["access"], ["token", "list"], ["usage", "--of", "ann"])]  # fmt: skip
    keys = json.loads((home.path / "exai/state/jwt_keys.json").read_text())["keys"]
    secrets = {"token": TOKEN, "password": PASSWORD, "code": code[8:], "session": session, "wrong": WRONG[0], "wrong JWT": "canarysign", "key": keys[0]["k"]}  # fmt: skip
    return secrets | {f"part {number} of a JWT": part for number, part in enumerate(issued.split(".")[1:])}, said  # fmt: skip
