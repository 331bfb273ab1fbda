"""Another user of the machine gets nothing from a daemon without a token; its own user needs none."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.daemon.connections.local_peer import LocalPeers, Peer, is_forwarded
from exai_trio.errors import ArgumentError
from exai_trio.transport import client_auth, peer_identity
from exai_trio.transport.client_auth import credentials
from exai_trio.transport.peer_identity import Ends
from exai_trio.transport.token_file import made_token, named_token, token_of_home

HANDMADE = Path(__file__).with_name("handmade.py")
EXAI = str(Path(sys.executable).with_name("exai"))
ENOUGH_S = 30.0
OURS = os.geteuid()
NOBODY = 65534
TOKEN = "correct-horse-battery"
as_another = pytest.mark.skipif(OURS != 0, reason="only root can be another user")


@attrs.frozen
class Place:
    """A home, a port, and nothing of this machine's settings."""

    home: Path
    port: int

    @property
    def exai(self) -> Path:
        return self.home / "exai"

    @property
    def token(self) -> str:
        return (self.exai / "state" / "ws_token").read_text().strip()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "EXAI_HOME": str(self.exai),
            "EXAI_WS_PORT": str(self.port),
            "HEALTH_CHECK_PORT": "0",
            "MONITORING_PORT": "0",
            "INCIDENTS_PORT": "0",
            "ENV_FILE": os.devnull,
        }

    @contextmanager
    def serving(self, **settings: str):
        with subprocess.Popen(
            [EXAI, "serve"], cwd=self.home, env=self.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as daemon:  # fmt: skip
            try:
                line = daemon.stdout.readline()
                assert line.startswith("exai serves"), line + daemon.stderr.read()
                yield daemon
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.communicate(timeout=ENOUGH_S)

    def run(self, *words: str, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [EXAI, *words], cwd=self.home, env=self.environ | more, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=ENOUGH_S, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path, unused_tcp_port) -> Place:
    return Place(tmp_path, unused_tcp_port)


def ask(place: Place, uid: int, headers: dict[str, str] | None = None, **hello: str) -> tuple[bool, int | None, dict]:  # fmt: skip
    """Whether the daemon lets this user in, the code with which it closed, and its answer."""
    asked = json.dumps({"hello": hello, "headers": headers or {}}) + "\n"
    done = subprocess.run(
        [sys.executable, HANDMADE, "ask", str(uid), str(place.port)],
        input=asked, capture_output=True, text=True, timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said["answer"]["ok"], said["code"], said["answer"]


@pytest.mark.real
@as_another
def test_another_user_needs_the_token_of_the_home(place):
    """Without it, or with a wrong one, they get 4003 and the name of the file; with it they come in. Our own user needs none,
    and is not shut out for a wrong one."""
    with place.serving():
        refused = [ask(place, NOBODY), ask(place, NOBODY, token="x" * 43), ask(place, NOBODY, roots=["/"])]  # fmt: skip
        token = place.token
        let_in = [ask(place, NOBODY, token=token), ask(place, OURS), ask(place, OURS, token="x" * 43)]  # fmt: skip

    assert [(False, 4003)] * 3 == [answer[:2] for answer in refused]
    assert {"unauthorized"} == {answer["error"] for _, _, answer in refused}
    assert str(place.exai / "state" / "ws_token") in refused[0][2]["message"]
    assert token not in json.dumps(refused)
    assert [True] * 3 == [answer[0] for answer in let_in]


@pytest.mark.real
def test_the_token_is_for_its_user_alone_and_stays(place):
    """0600 in 0700, the same over restarts, and made anew where others could read it."""
    with place.serving():
        first, mode = place.token, (place.exai / "state" / "ws_token").stat().st_mode
    with place.serving():
        second = place.token
    (place.exai / "state" / "ws_token").chmod(0o644)
    with place.serving():
        third, mended = place.token, (place.exai / "state" / "ws_token").stat().st_mode

    assert (0o600, 0o600) == (stat.S_IMODE(mode), stat.S_IMODE(mended))
    assert first == second != third
    assert len(third) >= 43


FORWARDED = (
    "Forwarded", "Via", "X-Forwarded-For", "x-forwarded-for", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP",
    "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Cluster-Client-IP", "X-Original-Forwarded-For",
)  # fmt: skip


@pytest.mark.real
def test_a_proxy_of_our_own_user_speaks_for_strangers(place):
    """What it forwards needs the token, whichever header gives it away; an ordinary header does not."""
    with place.serving():
        token = place.token
        without = ask(place, OURS, {"X-Forwarded-For": "203.0.113.9"})
        shown = ask(place, OURS, {"Via": "1.1 proxy"}, token=token)
        plain = ask(place, OURS, {"User-Agent": "websockets", "X-Trace": "forwarded"})

    assert ((False, 4003), True, True) == (without[:2], shown[0], plain[0])


@pytest.mark.parametrize("name", FORWARDED)
def test_every_header_of_a_proxy_is_known(name):
    """Names of headers are compared in lower case."""
    assert is_forwarded(["host", name.lower()])


@pytest.mark.parametrize("name", ["host", "origin", "user-agent", "authorization", "x-request-id", "sec-websocket-key"])  # fmt: skip
def test_other_headers_are_no_sign_of_a_proxy(name):
    """Clients send them too."""
    assert not is_forwarded([name])


@pytest.mark.real
@as_another
@pytest.mark.parametrize(
    ("settings", "ours", "others"),
    [
        ({"EXAI_WS_TOKEN": TOKEN}, False, False),
        ({"JWT_SECRET_KEY": "k" * 32}, False, False),
        ({"EXAI_WS_TOKEN": "none"}, True, True),
        ({"EXAI_WS_TOKEN": "none", "JWT_SECRET_KEY": "k" * 32}, False, False),
    ],
)
def test_what_is_set_decides_who_needs_a_token(place, settings, ours, others):
    """A token or a JWT key of the user's own is asked of everybody; `none` of nobody. No file is made then."""
    with place.serving(**settings):
        found = [ask(place, uid)[0] for uid in (OURS, NOBODY)]

    assert [ours, others] == found
    assert not (place.exai / "state" / "ws_token").exists()


@pytest.mark.real
def test_a_token_in_a_named_file_is_as_good_as_one_in_a_variable(place):
    """Daemon and commands read EXAI_WS_TOKEN_FILE; whoever shows nothing is refused."""
    (place.home / "token").write_text(TOKEN + "\n")
    named = {"EXAI_WS_TOKEN_FILE": str(place.home / "token")}
    with place.serving(**named):
        shown, silent = ask(place, OURS, token=TOKEN)[0], ask(place, OURS)[0]
        codes = [place.run("status", **more)[0] for more in (named, {}, {"EXAI_WS_TOKEN": TOKEN})]

    assert (True, False) == (shown, silent)
    assert [0, 1, 0] == codes


@pytest.mark.real
@pytest.mark.parametrize("words", [["serve"], ["status"]])
def test_a_named_file_of_no_use_stops_what_uses_it(place, words):
    """Exit code 2, and the path; nothing of what the file holds."""
    (place.home / "token").write_text("two words")
    with socket.create_server(("127.0.0.1", 0)) if words == ["serve"] else place.serving():
        missing = place.run(*words, EXAI_WS_TOKEN_FILE="/no/such/file")
        unfit = place.run(*words, EXAI_WS_TOKEN_FILE=str(place.home / "token"))

    assert [2, 2] == [missing[0], unfit[0]]
    assert "/no/such/file" in missing[2]
    assert "two words" not in unfit[2]


@contextmanager
def _listener(uid: int):
    with subprocess.Popen([sys.executable, HANDMADE, "serve", str(uid)], stdout=subprocess.PIPE, text=True) as server:  # fmt: skip
        try:
            yield json.loads(server.stdout.readline())["port"], server.stdout
        finally:
            server.kill()


@pytest.mark.real
@as_another
@pytest.mark.parametrize(("uid", "gets"), [(OURS, True), (NOBODY, False)])
@pytest.mark.parametrize("command", ["status", "shim"])
def test_only_a_listener_of_our_own_user_learns_the_token(place, uid, gets, command):
    """Commands and shim read the file at each connect, and show it to nobody else on this machine."""
    token = made_token(place.exai / "state" / "ws_token")
    with _listener(uid) as (port, said):
        place_there = attrs.evolve(place, port=port)
        with subprocess.Popen(
            [EXAI, command], cwd=place.home, env=place_there.environ,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as client:  # fmt: skip
            hello = json.loads(said.readline())
            client.kill()

    assert (token if gets else None) == hello.get("token")


# Who is at the other end, without processes


def _pair(family: socket.AddressFamily, bound: str, target: str) -> tuple[socket.socket, ...]:
    listener = socket.socket(family)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((bound, 0))
    listener.listen()
    client = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
    client.connect((target, listener.getsockname()[1]))
    return listener, client, listener.accept()[0]


@pytest.mark.real
@pytest.mark.parametrize(
    ("family", "bound", "target"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", "::ffff:127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.9"),  # noqa: S104
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
        (socket.AF_INET6, "::", "::ffff:127.0.0.1"),
    ],
)
async def test_both_ends_of_a_loopback_connection_have_a_user(family, bound, target):
    """IPv4, IPv6, and IPv4 that either side speaks on a socket for IPv6."""
    listener, *both = _pair(family, bound, target)
    with listener:
        streams = [trio.SocketStream(trio.socket.from_stdlib_socket(one)) for one in both]
        async with streams[0], streams[1]:
            ends = [Ends.of(stream) for stream in streams]
            found = [(end.uid(), end.on_loopback) for end in ends]

    assert [(OURS, True)] * 2 == found


ROW = "   0: 0100007F:{:04X} 0100007F:{:04X} {} 00000000:00000000 00:00000000 00000000 {:>5}        0 1 1\n"  # fmt: skip
HERE, THERE = ("127.0.0.1", 8079), ("127.0.0.1", 40000)


@pytest.mark.parametrize(
    ("rows", "uid"),
    [
        ("", None),
        (ROW.format(40000, 8079, "01", 1234), 1234),
        (ROW.format(8079, 40000, "01", 77) + ROW.format(40000, 8079, "01", 1234), 1234),
        (ROW.format(8079, 40000, "01", 77), None),  # our own end
        (ROW.format(40000, 8079, "06", 0), None),  # closed: nobody's
        (ROW.format(40000, 8079, "0A", 0), None),
        (ROW.format(40001, 8079, "01", 1234), None),
        (ROW.format(40000, 8079, "01", 1234)[:60], None),
        (ROW.format(1, 2, "01", 5) * 40_000 + ROW.format(40000, 8079, "01", 1234), 1234),
        (ROW.format(1, 2, "01", 5) * 90_000 + ROW.format(40000, 8079, "01", 1234), None),  # too many to look through
    ],
)  # fmt: skip
def test_the_kernels_table_is_read_as_it_is_written(tmp_path, monkeypatch, rows, uid):
    """The line of the peer's own end counts, while the connection is established; the search has an end."""
    if uid == OURS:
        pytest.skip("that is who we are")
    (tmp_path / "tcp").write_text("  sl  local_address rem_address   st\n" + rows)
    monkeypatch.setattr(peer_identity, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))

    assert uid == Ends(HERE, THERE).uid()


@pytest.mark.real
async def test_who_cannot_be_known_is_not_the_owner(monkeypatch, tmp_path):
    """Where the system does not say whose a socket is, and on a connection from elsewhere."""
    listener, client, accepted = _pair(socket.AF_INET, "127.0.0.1", "127.0.0.1")
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(accepted))
    with listener, client:
        async with stream:
            known = await LocalPeers().is_owner(Peer(stream))
            proxied = await LocalPeers().is_owner(Peer(stream, forwarded=True))
            monkeypatch.setattr(peer_identity, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))
            unknown = await LocalPeers().is_owner(Peer(stream))

    assert (True, False, False) == (known, proxied, unknown)


# What a client shows


def _config(tmp_path, **settings) -> Config:
    made_token(tmp_path / "state" / "ws_token", TOKEN)
    return Config(home=tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, TOKEN),
        ({"ws_token": "mine-and-long-enough"}, "mine-and-long-enough"),
        ({"ws_token": "none"}, None),
        ({"ws_host": "192.0.2.1"}, None),
        ({"ws_host": "elsewhere.example"}, None),
        ({"ws_host": "localhost"}, TOKEN),
        ({"ws_host": "::1"}, TOKEN),
    ],
)
def test_the_token_of_the_home_goes_to_loopback_only(tmp_path, settings, shown):
    """A token that is set goes before it; `none` shows nothing."""
    assert shown == credentials(_config(tmp_path, **settings), None).token


def test_a_listener_elsewhere_does_not_learn_it(tmp_path):
    """Also where a name of this machine leads to another."""
    assert credentials(_config(tmp_path), Ends(("192.0.2.7", 1), ("192.0.2.1", 8079))).token is None


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"pid": os.getpid(), "port": 8079}, TOKEN),
        ({"pid": os.getpid(), "port": 8080}, None),
        ({"pid": 2**22 + 1, "port": 8079}, None),
        ({"pid": 0, "port": 8079}, None),
        ({"pid": 10**30, "port": 8079}, None),
        ({"pid": "x"}, None),
        (None, None),
    ],
)
def test_where_users_of_sockets_are_not_told_the_home_vouches_for_the_port(tmp_path, monkeypatch, facts, shown):  # fmt: skip
    """On such a system the token goes to the port that the home's running daemon has."""
    monkeypatch.setattr(client_auth, "says_who", lambda: False)
    config = _config(tmp_path)
    if facts is not None:
        config.logs.mkdir()
        (config.logs / "ws_daemon.health.json").write_text(json.dumps(facts))

    assert shown == credentials(config, Ends(THERE, HERE)).token


def test_a_token_file_is_a_file_of_our_own(tmp_path):
    """A link, a pipe, a directory, what is no token, and what is not there give none; no pipe is waited for."""
    (tmp_path / "good").write_text(TOKEN)
    (tmp_path / "link").symlink_to(tmp_path / "good")
    (tmp_path / "short").write_text("short")
    (tmp_path / "long").write_text("x" * 257)
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = ("good", "link", "short", "long", "binary", "folder", "pipe", "missing")

    assert [TOKEN, *[""] * 7] == [token_of_home(tmp_path / name) for name in names]


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "binary", "empty"])
def test_a_named_file_without_a_token_is_refused(tmp_path, name):
    """With its path; the user meant it."""
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArgumentError, match=name):
        named_token(tmp_path / name, on_loopback=True)
