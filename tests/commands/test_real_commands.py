"""The commands as processes: one daemon with its simulator, asked from a shell."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from free_ports import free_port

pytestmark = pytest.mark.real
REPOSITORY = Path(__file__).resolve().parents[2]
EXAI = [sys.executable, "-P", "-m", "exai_trio"]


@attrs.frozen
class Place:
    """An environment of its own, with nothing of this machine's settings."""

    home: Path
    port: int

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "EXAI_HOME": str(self.home / "exai"),
            "EXAI_WS_PORT": str(self.port),
            "HEALTH_CHECK_PORT": "0",
            "MONITORING_PORT": "0",
            "INCIDENTS_PORT": "0",
        }

    def start(self, *argv: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*EXAI, *argv],
            cwd=self.home,
            env={**self.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, **more: str) -> tuple[int, str, str]:
        with self.start(*argv, **more) as running:
            out, err = running.communicate(timeout=40)
        return running.returncode, out, err


@pytest.fixture(scope="module")
def daemon(tmp_path_factory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("daemon"), free_port())
    with place.start("serve", "--simulate") as running:
        assert "exai serves: WebSocket ws://127.0.0.1:" in running.stdout.readline()
        yield place
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=20)
    assert (0, "") == (running.returncode, err)


def test_a_call_goes_through_to_the_simulator(daemon: Place):
    """The answer of a model is on stdout, and nothing else anywhere."""
    code, out, err = daemon.run("call", "chat", "prompt=how many angels")

    assert (0, "") == (code, err)
    assert "how many angels" in out


def test_a_value_can_come_from_stdin(daemon: Place):
    """`prompt=@-` reads what is piped in."""
    with daemon.start("call", "test_echo", "prompt=@-") as running:
        out, _ = running.communicate("from a pipe", timeout=40)

    assert (0, "from a pipe\n") == (running.returncode, out)


def test_a_refusal_is_explained(daemon: Place):
    """Exit code 1, the code and the nearest names on stderr."""
    code, out, err = daemon.run("call", "chatt")

    assert (1, "") == (code, out)
    assert "TOOL_NOT_FOUND" in err


def test_a_daemon_with_a_doctor(daemon: Place):
    """With everything in place the doctor finds no fault."""
    code, out, _ = daemon.run("doctor", "--json", EXAI_SIMULATE="true")

    assert 0 == code
    assert [] == [one for one in json.loads(out) if one["state"] == "fault"]


def test_a_second_daemon_is_refused(daemon: Place):
    """One line, exit code 1, and the first daemon still answers."""
    code, out, err = daemon.run("serve", "--simulate")

    assert (1, "", 1) == (code, out, err.count("\n"))
    assert "port in use" in err
    assert 0 == daemon.run("status")[0]


def test_ctrl_c_cancels_the_call_at_the_daemon(daemon: Place):
    """The call ends as cancelled, and its permit is free again."""
    with daemon.start("call", "test_echo", "prompt=x", "delay_ms=30000") as running:
        _wait_until(lambda: _health(daemon)["calls"]["running"] == 1)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)

    assert 130 == running.returncode
    assert "CANCELLED" in err
    assert 0 == _health(daemon)["calls"]["running"]


def test_an_answer_flows_through_a_pipe(daemon: Place):
    """Its beginning is there while its end is still being written."""
    slow = "[[simulate: say='begin and end' piece=6 drip=0.5]]"
    with daemon.start("ask", slow) as running:
        running.stdin.close()
        first = running.stdout.read(5)
        still_running = running.poll() is None
        rest = running.stdout.read()
        running.stdin = None
        running.communicate(timeout=40)

    assert ("begin", " and end\n", True) == (first, rest, still_running)


def test_what_is_piped_in_is_asked_about(daemon: Place):
    """The words above it; -c goes on in another directory's shell too."""
    with daemon.start("ask", "review this", "--json") as running:
        out, _ = running.communicate("a diff\n", timeout=40)
    with daemon.start("ask", "-c", "and?", "--json") as running:
        further, _ = running.communicate("", timeout=40)

    told = json.loads(out)
    assert told["answer"].endswith("review this\n\na diff")
    assert told["continuation_id"] == json.loads(further)["continuation_id"]


def test_what_does_not_end_is_refused(daemon: Place):
    """`yes | exai ask`: said in one line, and nothing is sent."""
    with daemon.start("ask", "what is it?") as running:
        try:
            while True:
                running.stdin.write("y\n" * 50_000)
        except BrokenPipeError:
            pass
        with suppress(BrokenPipeError):
            running.stdin.close()
        running.stdin = None
        out, err = running.communicate(timeout=40)

    assert (2, "") == (running.returncode, out)
    assert "MiB are piped in" in err


def test_descriptors_that_are_closed_are_borne(daemon: Place):
    """Nothing is piped in, and nobody hears what is complained of."""
    command = ["sh", "-c", 'exec "$0" "$@" <&- 2>&-', *EXAI, "ask", "hello"]
    ran = subprocess.run(
        command, cwd=daemon.home, env=daemon.environ, stdout=subprocess.PIPE, text=True, check=False
    )

    assert 0 == ran.returncode
    assert "hello" in ran.stdout


def test_files_are_named_as_in_a_shell(daemon: Place):
    """Relative to the working directory, and outside of it by ~."""
    outside = daemon.home / "elsewhere"
    outside.mkdir()
    (outside / "far.txt").write_text("the far one")
    folder = daemon.home / "project"
    folder.mkdir()
    (folder / "near.txt").write_text("the near one")
    command = [*EXAI, "ask", "which?", "-f", "near.txt", "-f", "~/elsewhere/far.txt"]
    ran = subprocess.run(
        command,
        cwd=folder,
        env=daemon.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (ran.returncode, ran.stderr)
    assert "the near one" in ran.stdout
    assert "the far one" in ran.stdout


def test_a_daemon_is_started_stopped_and_started_anew(tmp_path, unused_tcp_port):
    """`exai ask` starts one, `restart` has another in its place, `stop` ends it; none is left."""
    place = Place(tmp_path, unused_tcp_port)
    simulated = {"EXAI_SIMULATE": "true"}
    try:
        asked = place.run("ask", "hello", **simulated)
        first = json.loads(place.run("status", "--json")[1])["pid"]
        restarted = place.run("restart", **simulated)
        second = json.loads(place.run("status", "--json")[1])["pid"]
    finally:
        stopped = place.run("stop")

    assert 0 == asked[0]
    assert (0, 0) == (restarted[0], stopped[0])
    assert first != second
    assert 75 == place.run("status")[0]


def test_autostart_can_be_refused(tmp_path, unused_tcp_port):
    """EXAI_WS_AUTOSTART=false, said by somebody, is obeyed."""
    code, _, err = Place(tmp_path, unused_tcp_port).run("ask", "hello", EXAI_WS_AUTOSTART="false")

    assert 75 == code
    assert "try: exai serve" in err


def test_a_daemon_without_a_provider_says_so(tmp_path, unused_tcp_port):
    """Before the first question fails."""
    with Place(tmp_path, unused_tcp_port).start("serve") as running:
        said = running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=40)

    assert "no provider is configured" in said


@pytest.mark.parametrize("how", ["signal", "eof"])
def test_the_simulator_ends_when_it_is_told(tmp_path, unused_tcp_port, how: str):
    """One line of JSON once it serves; a signal, or the end of stdin, ends it with 0."""
    with Place(tmp_path, unused_tcp_port).start("simulate", "--until-eof") as running:
        origin = json.loads(running.stdout.readline())["simulator"]
        if how == "signal":
            running.send_signal(signal.SIGTERM)
            running.wait(20)
        _, err = running.communicate(timeout=20)

    assert origin.startswith("http://127.0.0.1:")
    assert (0, "") == (running.returncode, err)


@pytest.mark.parametrize("script", ["run_ws_daemon.py", "run_ws_shim.py"])
def test_the_scripts_are_the_commands(script: str):
    """Each script shows the usage of the command that it starts."""
    path = REPOSITORY / "scripts" / script
    ran = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, check=True
    )

    word = "serve" if "daemon" in script else "shim"
    assert f"exai {word}" in ran.stdout


def _health(place: Place) -> dict:
    return json.loads(place.run("status", "--json")[1])


def _wait_until(condition) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("the condition did not come true")


def test_the_shim_loads_nothing_that_changes_settings(tmp_path):
    """An editor waits for it: what finds, checks and writes settings and servers is not there."""
    words = [sys.executable, "-X", "importtime", "-P", "-m", "exai_trio", "shim"]
    environ = {"HOME": str(tmp_path), "EXAI_WS_PORT": "1", "PATH": os.defpath}
    done = subprocess.run(words, input="", capture_output=True, text=True, env=environ, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert "exai_trio.settings.load" in loaded
    assert not [
        name
        for name in loaded
        if name.startswith(("exai_trio.commands.setup", "exai_trio.providers.local", "getpass"))
        or name in {"exai_trio.settings.used", "exai_trio.settings.env_text", "tomllib"}
    ]
