"""Programs of ours that are started in a folder of somebody else's run nothing of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from exai_trio.commands.editors.shim_server import Machine, editor_configuration
from exai_trio.commands.options import EDITORS
from exai_trio.interpreter import anchored
from exai_trio.settings.load import load

REPOSITORY = Path(__file__).resolve().parents[2]
TEXTS = ("*.py", "*.md", "*.yaml", "*.toml", "*.sh")
ENOUGH_S = 30.0
# Never importable from a file: they are part of the interpreter, or loaded before the first line of any program.
WOULD_WRITE = (
    "import os\n"
    "with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'CANARY'), 'a') as told:\n"
    "    told.write(__file__ + chr(10))\n"
)
THEIRS = (
    "attrs",
    "attr",
    "msgspec",
    "trio",
    "trio_websocket",
    "wsproto",
    "httpx2",
    "openai",
    "starlette",
    "hypercorn",
)


@attrs.frozen
class Strange:
    """A folder full of modules named like ours and like the standard library's, and a home elsewhere."""

    folder: Path
    home: Path
    port: int

    @property
    def canaries(self) -> list[str]:
        told = self.folder / "CANARY"
        return told.read_text().splitlines() if told.exists() else []

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

    def start(self, command: list[str], **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str], **more: str) -> tuple[int, str, str]:
        with self.start(command, **more) as running:
            try:
                out, err = running.communicate(timeout=ENOUGH_S)
            finally:
                running.kill()
        return running.returncode, out, err


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in sorted({*sys.stdlib_module_names, *THEIRS}):
        (folder / f"{name}.py").write_text(WOULD_WRITE)
    for package in ("exai_trio", "exai_trio/simulator", "exai_trio/commands"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(WOULD_WRITE)
        (folder / package / "__main__.py").write_text(WOULD_WRITE)
    return folder


@pytest.fixture
def strange(project, tmp_path, unused_tcp_port) -> Strange:
    (project / "CANARY").unlink(missing_ok=True)
    return Strange(project, tmp_path, unused_tcp_port)


def _printed(editor: str, strange: Strange) -> dict:
    """What `exai config --mcp` tells an editor to start, asked for in that very folder."""
    exai = str(Path(sys.executable).with_name("exai"))
    code, out, err = strange.run([exai, "config", "--mcp", editor])
    assert code == 0, err
    return json.loads(out)


@pytest.mark.real
def test_the_shim_that_an_editor_starts_runs_nothing_of_the_project(strange):
    """The printed command answers `initialize` in that folder, and no module of the folder is imported."""
    server = _printed("claude", strange)
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    with strange.start([server["command"], *server["args"]]) as shim:
        shim.stdin.write(json.dumps(opening) + "\n")
        shim.stdin.flush()
        answer = shim.stdout.readline()
        _, err = shim.communicate(timeout=ENOUGH_S)

    assert [] == strange.canaries
    assert "serverInfo" in answer, err


@pytest.mark.real
def test_daemon_simulator_and_commands_run_nothing_of_the_folder(strange):
    """`exai serve --simulate`, its child, and `exai call` work there as anywhere; so do the regex and the reading process."""
    exai = str(Path(sys.executable).with_name("exai"))
    with strange.start([exai, "serve", "--simulate"]) as daemon:
        try:
            line = daemon.stdout.readline()
            code, out, err = strange.run([exai, "call", "chat", "prompt=hello"])
            searched = strange.run([exai, "call", "activity", "filter=a.*b"])
            traced = strange.run([exai, "call", "tracer", *_step(strange.folder / "os.py")])
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=ENOUGH_S)

    assert [] == strange.canaries
    assert line.startswith("exai serves:")
    assert (0, True) == (code, bool(out)), err
    assert (0, 0) == (searched[0], traced[0]), searched[2] + traced[2]


@pytest.mark.real
@pytest.mark.parametrize("path", ["", ":/nowhere:."])
def test_a_started_daemon_runs_nothing_of_the_folder(strange, path):
    """The shim's autostart: also where PYTHONPATH has an empty part, which means the working directory to Python, the
    daemon and its simulator import nothing from it."""
    program = (
        "import os, sys, trio\n"
        "from exai_trio.cli import main\n"
        f"os.environ['PYTHONPATH'] = {path!r}\n"
        f"os.chdir({str(strange.folder)!r})\n"
        "raise SystemExit(main(['shim']))\n"
    )
    command = [sys.executable, "-P", "-c", program]
    more = {"EXAI_WS_AUTOSTART": "true", "EXAI_SIMULATE": "true"}
    with strange.start(command, **more) as shim:
        try:
            _wait_listening(strange.port)
            pid = _pid(strange)
        finally:
            shim.communicate(timeout=ENOUGH_S)
    os.kill(pid, signal.SIGTERM)
    _wait_gone(pid)

    assert [] == strange.canaries


@pytest.mark.real
@pytest.mark.parametrize("words", [["simulate", "--until-eof"], ["config"]])
def test_by_the_module_a_folder_is_no_place_for_what_we_import(strange, words):
    """`python -m exai_trio`, as older editor configurations have it, looks for no other module in the working directory."""
    plain = strange.home / "plain"
    plain.mkdir()
    for name in ("argparse", "trio", "attrs", "msgspec", "json", "logging"):
        (plain / f"{name}.py").write_text(WOULD_WRITE)
    strange = attrs.evolve(strange, folder=plain)
    _, _, err = strange.run([sys.executable, "-m", "exai_trio", *words])

    assert [] == strange.canaries
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("", ""), (":", ""), (".", ""), (":/a", "/a"), ("/a:", "/a"), ("/a::/b", "/a:/b"),
        ("lib:/a:..", "/a"), ("/a:/b", "/a:/b"), ("~/a:/b", "/b"),
    ],
)  # fmt: skip
def test_a_module_path_without_the_working_directory(given, clean):
    """Empty and relative parts go; the others stay in their order."""
    assert clean == anchored(given, ":", "/work")


@pytest.mark.parametrize(
    ("given", "here"),
    [("", REPOSITORY), (".", REPOSITORY), (REPOSITORY.name, REPOSITORY.parent)],
)
def test_where_we_ourselves_were_found_stays_on_the_module_path(given, here):
    """Whoever runs a checkout that is not installed has named its folder; processes of ours are found there too."""
    assert f"/a:{REPOSITORY}" == anchored(f"/a:{given}", ":", str(here))


@pytest.mark.real
def test_a_checkout_that_is_not_installed_starts_its_simulator(tmp_path, unused_tcp_port):
    """By `python -m exai_trio serve --simulate` in it, as before."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copytree(
        REPOSITORY / "exai_trio",
        checkout / "exai_trio",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    place = Strange(checkout, tmp_path, unused_tcp_port)
    with place.start([sys.executable, "-m", "exai_trio", "serve", "--simulate"]) as daemon:
        line = daemon.stdout.readline()
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=ENOUGH_S)

    assert "simulator http://127.0.0.1:" in line


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_is_told_to_start_it_safely(editor):
    """-P is in the arguments, and a PYTHONPATH that names the working directory is replaced."""
    machine = Machine(interpreter="/p", module_path="/lib")
    printed = editor_configuration(editor, load({}, {}), machine)

    assert re.search(r'"/p",?\s+("args": \[|args = \[)?\s*"-P",\s+"-m",\s+"exai_trio"', printed)
    assert re.search(r'"?PYTHONPATH"?\s*[:=]\s*"/lib"', printed)


def test_every_command_line_of_ours_is_safe():
    """Wherever our package is started as a module, in code or text, `-P` stands before it."""
    unsafe = [
        f"{path.relative_to(REPOSITORY)}: {found[0]}"
        for path in _texts()
        for found in re.finditer(r"(.{0,24})-m\W{1,5}exai_trio", path.read_text(encoding="utf-8"))
        if "-P" not in found[1] and "-I" not in found[1]
    ]

    assert [] == unsafe


def _step(path: Path) -> list[str]:
    step = ["step=x", "step_number=1", "total_steps=1", "next_step_required=true", "findings=x"]
    return [*step, "trace_mode=precision", "target_description=main", f"files_checked=[{json.dumps(str(path))}]"]  # fmt: skip


def _texts() -> list[Path]:
    folders = ("exai_trio", "scripts", "docs")
    found = [
        path for folder in folders for kind in TEXTS for path in (REPOSITORY / folder).rglob(kind)
    ]
    texts = (
        *found,
        *REPOSITORY.glob("*.md"),
        REPOSITORY / "Dockerfile",
        REPOSITORY / "compose.yaml",
    )
    return [path for path in texts if path.name != "CHANGELOG.md" and "adr" not in path.parts]


def _wait_listening(port: int) -> None:
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nothing listens")


def _pid(strange: Strange) -> int:
    path = strange.home / "exai" / "logs" / "ws_daemon.pid"
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        if path.exists():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError("no pid")


def _wait_gone(pid: int) -> None:
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("still there")
