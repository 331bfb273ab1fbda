"""Real daemons and the command: a token is given, used, changed and taken back; nothing of it is written anywhere."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import asynccontextmanager, contextmanager, suppress

import attrs
import pytest
import trio
from free_ports import free_port
from redis_server import redis_server

from exai_trio.transport.websocket import Limits, PeerGone, connect
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallFailed,
    CallTool,
    Hello,
    RotateToken,
    TokenRotated,
)

pytestmark = pytest.mark.real

TOKEN, NEW = "the-token-of-the-home", "another-token-of-the-home"


@attrs.frozen
class Home:
    """A home, its settings, and its daemon while one runs."""

    path: object
    port: int
    environ: dict

    def exai(self, *words) -> str:
        """What a command says. It succeeds."""
        command = [sys.executable, "-m", "exai_trio", *words]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @contextmanager
    def serving(self, stderr=None):
        command = [sys.executable, "-m", "exai_trio", "serve"]
        with subprocess.Popen(
            command, env=self.environ, cwd=self.path, stdout=subprocess.PIPE, stderr=stderr
        ) as daemon:
            try:
                assert b"WebSocket ws://" in daemon.stdout.readline()
                yield daemon
            finally:
                daemon.terminate()

    def everything(self) -> bytes:
        """All that was written, but the keys and the tokens that are kept on purpose."""
        kept = [
            path.read_bytes() for path in self.path.rglob("*")
            if path.is_file() and path.name not in {"jwt_keys.json", "ws_token"}
        ]  # fmt: skip
        return b"\n".join(kept)

    @asynccontextmanager
    async def client(self, **shown):
        async with connect("127.0.0.1", self.port, Limits()) as client:
            await client.send(encode(Hello(protocol=2, **shown)))
            yield client, decode_daemon(await client.receive()).message

    @asynccontextmanager
    async def admitted(self, **shown):
        """The client once it is let in: where Redis is late on a busy machine, it is to come again."""
        while True:
            async with self.client(**shown) as (client, ack):
                if ack.error != "service_unavailable":
                    yield client, ack
                    return

    async def lets_in(self, **shown) -> bool:
        async with self.client(**shown) as (_, ack):
            return ack.ok


def home_at(path, **settings):
    port = free_port()
    path.mkdir(exist_ok=True)
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(path), "TMPDIR": str(path), "ENV_FILE": os.devnull,
        "EXAI_HOME": str(path / "exai"), "EXAI_WS_PORT": str(port), "HEALTH_CHECK_PORT": "0", "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0", "EXAI_DRAIN_S": "0.1", "EXAI_WS_TOKEN": TOKEN, **settings,
    }  # fmt: skip
    return Home(path, port, environ)


async def _ends(client) -> tuple[str, int]:
    """With what reason and code the connection ends."""
    reason = ""
    with trio.fail_after(30):
        while True:
            try:
                heard = decode_daemon(await client.receive()).message
            except PeerGone as gone:
                return reason, gone.code
            if isinstance(heard, Bye):
                reason = heard.reason


async def test_a_token_from_its_issue_to_its_end(tmp_path):
    """Issued while no daemon runs, and while one does; its connection ends when it is revoked, and a key that is replaced serves its
    last tokens."""
    home = home_at(tmp_path)
    early = home.exai("token", "issue", "ann", "--days", "1")
    with home.serving():
        late = home.exai("token", "issue", "bob", "--role", "viewer")
        home.exai("token", "rotate-keys")
        newest = home.exai("token", "issue", "eve")
        seen = [await home.lets_in(jwt=one) for one in (early, late, newest)]
        async with home.client(token=early) as (client, ack):
            told = {one["subject"]: one for one in json.loads(home.exai("token", "list", "--json"))}
            home.exai("token", "revoke", told["ann"]["id"])
            at_once = await home.lets_in(jwt=early)
            ended = await _ends(client)
        home.exai("token", "revoke", "--all-of", "eve")
        used = {
            one["subject"]: one["used_from"]
            for one in json.loads(home.exai("token", "list", "--json"))
        }
        after = [await home.lets_in(jwt=one) for one in (early, late, newest)]
    log = home.exai("access", "--of", "ann", "--json")

    assert ([True] * 3, True, False) == (seen, ack.ok, at_once)
    assert ("token revoked", 4003) == ended
    assert [False, True, False] == after
    assert "127.0.0.1" == used["bob"]
    assert {"token issued", "hello", "token revoked"} == {line["event"] for line in json.loads(log)}
    written = home.everything()
    parts = [part for token in (early, late, newest) for part in token.split(".")[1:]]
    assert not [part for part in (*parts, TOKEN) if part.encode() in written]


def test_what_counts_of_a_quota_is_shown(tmp_path):
    """Of a daemon that runs, and of one that does not: a minute's calls end with it, a day's tokens do not."""
    home = home_at(tmp_path, MONITORING_PORT=str(free_port()), EXAI_SIMULATE="true")
    limits = ("--calls-per-minute", "5", "--tokens-per-day", "9000")
    token = home.exai("token", "issue", "ann", *limits)
    anns = attrs.evolve(home, environ={**home.environ, "EXAI_WS_TOKEN": token})
    with home.serving():
        anns.exai("call", "chat", "prompt=hello")
        running = json.loads(home.exai("usage", "--of", "ann", "--json"))
        (entry,) = json.loads(home.exai("token", "list", "--json"))
        home.exai(
            "token", "set", entry["id"], "--calls-per-minute", "7", "--tokens-per-day", "9000"
        )
        while 7 != json.loads(home.exai("usage", "--of", "ann", "--json"))["quota"]["calls_per_minute"]:  # fmt: skip
            pass  # the daemon hears of it within a second
    stopped = json.loads(home.exai("usage", "--of", "ann", "--json"))

    assert 5 == running["quota"]["calls_per_minute"]
    assert (1, 0) == tuple(one["used"]["calls_per_minute"] for one in (running, stopped))
    assert 0 < stopped["used"]["tokens_per_day"] == running["used"]["tokens_per_day"] < 9000
    assert 9000 == stopped["left"]["tokens_per_day"] + stopped["used"]["tokens_per_day"]


async def test_a_rotation_outlives_the_daemon(tmp_path):
    """Of a user's own token; nothing of either value is written."""
    home = home_at(tmp_path)
    with home.serving():
        async with home.client(token=TOKEN) as (client, _):
            await client.send(encode(RotateToken(old=TOKEN, new=NEW, request_id="r")))
            done = decode_daemon(await client.receive()).message
    with home.serving():
        later = [await home.lets_in(token=one) for one in (TOKEN, NEW)]

    assert TokenRotated(ok=True, request_id="r") == done
    assert [False, True] == later
    assert not [one for one in (TOKEN, NEW) if one.encode() in home.everything()]


async def test_two_daemons_with_one_redis(tmp_path):
    """A token that one has issued is taken by the other; of a quota of 100 a minute 100 calls pass over both; and what is revoked on one
    is refused by the other at once, whose connections and pages that it let in end within 5 s."""
    async with redis_server() as server:
        keys = str(tmp_path / "keys.json")
        pages = [free_port() for _ in "ab"]
        homes = [
            home_at(tmp_path / name, REDIS_URL=server.url, JWT_KEYS_FILE=keys, LOG_LEVEL="DEBUG", MONITORING_PORT=str(port))
            for name, port in zip("ab", pages, strict=True)
        ]  # fmt: skip
        token = homes[0].exai("token", "issue", "ann", "--calls-per-minute", "100")
        passed = []
        with homes[0].serving(), homes[1].serving():
            async with trio.open_nursery() as callers:
                for number in range(4):
                    callers.start_soon(_call_often, homes[number % 2], token, 40, passed)
            counted = json.loads(homes[1].exai("usage", "--of", "ann", "--json"))
            page = await logged_in(pages[1], token)
            before = asked(pages[1], "/api/me", bearer=page)["principal"]
            async with homes[1].admitted(jwt=token) as (client, ack):
                homes[0].exai("token", "revoke", "--all-of", "ann")
                after = [await home.lets_in(jwt=token) for home in reversed(homes)]
                with trio.fail_after(5):
                    ended = await _ends(client)
                    while asked(pages[1], "/api/me", bearer=page)["principal"]:
                        await trio.sleep(0.1)

    assert (True, "token revoked", 4003) == (ack.ok, *ended)
    assert ("jwt:ann", [False, False]) == (before, after)
    # Where Redis did not answer within 50 ms, a daemon has counted alone, and has said so.
    alone = sum(home.everything().count(b"calls are counted here alone") for home in homes)
    assert 160 == len(passed)
    assert 100 <= passed.count("") <= 100 + alone
    assert {"", "rate"} == set(passed)
    assert 100 >= counted["used"]["calls_per_minute"] >= 100 - alone


def asked(port, path, bearer="", **body):
    """What a page of the dashboard is told."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - ours
        return json.loads(answer.read())


async def logged_in(port, token):
    """A page's session, once its daemon has heard of the token."""
    while True:
        with suppress(urllib.error.HTTPError):
            return asked(port, "/api/login", token=token)["session"]
        await trio.sleep(0.1)


async def _call_often(home, token, count, passed, field="jwt"):
    """What is said of each: "" for an answer, else why not."""
    async with home.admitted(**{field: token}) as (client, _):
        for number in range(count):
            name = f"r{number}"
            await client.send(encode(CallTool(request_id=name, name="version", arguments={})))
            told = None
            while getattr(told, "request_id", "") != name or isinstance(told, CallAccepted):
                told = decode_daemon(await client.receive()).message
            passed.append(told.error.details["reason"] if isinstance(told, CallFailed) else "")


@pytest.mark.parametrize("signs", [False, True])
async def test_who_has_no_jwt_and_no_redis_imports_neither(tmp_path, signs):
    """Though clients come and call; with a key the one that checks JWTs is there, and no Redis is."""
    more = {"JWT_SECRET_KEY": "a key for JWTs that is long enough"} if signs else {}
    home = home_at(tmp_path / "home", PYTHONPROFILEIMPORTTIME="1", **more)
    with (tmp_path / "imports").open("wb") as told, home.serving(told):
        answered = []
        await _call_often(home, TOKEN, 1, answered, "token")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in (tmp_path / "imports").read_text().splitlines()}  # fmt: skip

    assert [""] == answered
    assert "exai_trio" in imported
    assert ({"jwt", "cryptography"} if signs else set()) == imported & {"coredis", "jwt", "cryptography"}  # fmt: skip
