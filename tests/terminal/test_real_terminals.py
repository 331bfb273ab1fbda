"""A real daemon, real keepers and `exai term`: through kills, replacement and drain, on a real pseudo-terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from real_home import CANARY, EXAI
from real_keepers import is_alive, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]  # each wait has up to 60 s

ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print('got ' + line.strip(), flush=True)"  # fmt: skip


NO_CREDENTIALS = [{}, {"token": "x" * 43}, {"jwt": "a.b.c"}, {"session": "page_of_nobody"}]


def python(program):
    return "--", sys.executable, "-u", "-c", program


def test_it_is_where_it_was_after_a_kill_a_replacement_and_a_drain(home):
    daemon = home.daemon()
    client = home.attach("new", "--name", "one", *python(ECHO))
    client.expect("ready")
    for number in range(3):
        client.send(f"line {number}\r")
        client.expect(f"got line {number}")
        if number == 0:
            daemon.kill()
            daemon.wait()
            client.send("typed while away\r")
            daemon = home.daemon()
            client.expect("got typed while away")
        else:
            former = daemon
            if number == 1:
                daemon = home.daemon("--replace")
            else:
                daemon.terminate()
                daemon.wait(timeout=60)
                daemon = home.daemon()
            assert former.wait(timeout=60) == 0
    client.send("last\r")
    client.expect("got last")
    client.send("\x04")
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 0


def test_the_terminal_is_as_it_was_on_every_way_out(home):
    home.daemon()
    shell = home.attach("list")
    shell.expect(pexpect.EOF)
    for way in ("detach", "kill", "exit", "SIGTERM"):
        client = pexpect.spawn("/bin/sh", env=home.environment, cwd=str(home.path), dimensions=(30, 200), timeout=60, encoding="utf-8", echo=False)  # fmt: skip
        home.clients.append(client)
        program = "print('ready'); input(); raise SystemExit(9)"
        name = f"{way}-{home.settings['EXAI_WS_PORT']}"  # others may run these tests beside us
        client.sendline(f'stty -a > before; {" ".join(EXAI)} term new --name {name} -- {sys.executable} -u -c "{program}"; echo code $?; stty -a > after; echo done')  # fmt: skip
        client.expect("ready\r")
        if way == "SIGTERM":
            mark = f"new\0--name\0{name}".encode()
            [pid] = [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(p) and b"keeper" not in _read(p)]  # fmt: skip
            os.kill(pid, signal.SIGTERM)
        else:
            client.send({"detach": "\x1dd", "kill": "\x1dk", "exit": "x\r"}[way])
        client.expect(r"code (\d+)")
        assert int(client.match[1]) == {"detach": 0, "kill": 129, "exit": 9, "SIGTERM": 143}[way]
        client.expect("done")
        client.close()
        assert (home.path / "before").read_text() == (home.path / "after").read_text(), way


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_list_rename_attach_and_kill(home):
    home.daemon()
    made = home.term("new", "--no-attach", "--name", "one", *python(ECHO)).split()[0]
    [record] = home.listed()
    assert (record["session_id"], record["tab_name"], record["state"]) == (made, "one", "running")
    home.term("rename", "one", "two")
    client = home.attach("attach", "--read-only", "two")
    client.expect("ready")
    wait_until(lambda: home.listed()[0]["clients"] == 1)
    assert "SESSION_NOT_FOUND" in home.term("attach", "one", code=1)
    assert made in home.term("kill", "two")
    client.expect(pexpect.EOF)
    assert not is_alive(record["pid"])
    home.term("kill", code=2)


def test_no_secret_reaches_the_program_and_no_content_a_file(home):
    home.daemon()
    client = home.attach("new", *python("import os; print(dict(os.environ)); print('x' + input() + 'y')"))  # fmt: skip
    client.expect(r"\{.*\}")
    said = client.match[0].replace("\r\n", "")
    assert "EXAI_TERM" in said
    assert not any(word in said for word in (CANARY, "GLM", "TOKEN", "EXAI_HOME"))
    client.send("secret-canary\r")
    client.expect("xsecret-canaryy")
    client.expect(pexpect.EOF)
    for path in (home.path / "exai").rglob("*"):
        assert b"secret-canary" not in _read(path), path


def test_a_token_is_wanted_on_loopback_and_of_foreign_pages_nothing_is_heard(home):
    import trio

    from exai_trio.transport.websocket import Limits, connect
    from exai_trio.wire.terminal_messages import said

    home.daemon()
    port = int(home.settings["EXAI_WS_PORT"])

    async def asked(**shown):
        async with connect("127.0.0.1", port, Limits(), "/terminal") as socket:
            await socket.send(said("list", **shown))
            return json.loads(await socket.receive())["op"]

    async def refused():
        return [await asked(**one) for one in NO_CREDENTIALS * 50]

    assert set(trio.run(refused)) == {"error"}
    token = (home.path / "exai/state/ws_token").read_text().strip()
    assert trio.run(lambda: asked(token=token)) == "sessions"
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", port)) as page:
            page.sendall(b"GET /terminal HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")  # fmt: skip
            assert b" 403 " in page.recv(200)


def test_switched_off_it_is_not_there_and_nothing_of_it_is_loaded(home):
    home.settings["EXAI_TERMINALS"] = "false"
    home.daemon()
    assert "DISABLED" in home.term("list", code=1)
    loaded = "import sys, exai_trio.daemon.app; print([m for m in sys.modules if 'exai_trio' in m and 'terminal' in m.replace('terminal_settings', '')])"  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "settings",
    [{"EXAI_TERMINALS": "true", "EXAI_WS_TOKEN": "none"}]
    + ([{"EXAI_TERMINALS": "true"}] if os.geteuid() == 0 else []),
)
def test_what_would_let_everybody_in_stops_the_start(home, settings):
    home.settings |= settings
    ran = subprocess.run([*EXAI, "serve"], env=home.environment, cwd=home.path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 2
    assert "EXAI_TERMINALS" in ran.stderr


def test_a_keeper_that_was_killed_leaves_no_socket_to_the_next_daemon(home):
    daemon = home.daemon()
    home.term("new", "--no-attach", *python(ECHO))
    [record] = home.listed()
    daemon.kill()
    daemon.wait()
    os.kill(record["keeper"], signal.SIGKILL)
    wait_until(lambda: not is_alive(record["pid"]))
    home.daemon()
    assert home.listed() == []
    assert not list((home.path / "exai/state/terminals").glob("*.sock"))


def test_limits_and_folders(home):
    allowed = home.path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to("/usr")
    home.settings |= {"EXAI_ALLOWED_ROOTS": str(allowed), "EXAI_TERM_MAX": "2", "EXAI_TERM_MAX_PER_PRINCIPAL": "1"}  # fmt: skip
    home.daemon()
    assert "NOT_ALLOWED" in home.term("new", "--no-attach", "--cwd", str(allowed / "link"), code=1)
    assert "NOT_ALLOWED" in home.term("new", "--no-attach", "--cwd", "/", code=1)
    home.term("new", "--no-attach", "--cwd", str(allowed), *python(ECHO))
    assert "SESSION_LIMIT" in home.term("new", "--no-attach", "--cwd", str(allowed), code=1)
