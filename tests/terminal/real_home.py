"""A home with real daemons and clients, for tests of terminals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pexpect
from free_ports import free_port

EXAI = [sys.executable, "-P", "-m", "exai_trio"]
CANARY = "canary-in-the-environment"


@attrs.define(eq=False)
class Home:
    """A home, its daemons and its clients; whoever leaves ends them, and every keeper."""

    path: Path
    settings: dict
    daemons: list = attrs.field(factory=list)
    clients: list = attrs.field(factory=list)

    @property
    def environment(self):
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }
        return own | {"EXAI_HOME": str(self.path / "exai"), "GLM_API_KEY": CANARY} | self.settings

    def daemon(self, *words):
        found = subprocess.Popen([*EXAI, "serve", *words], env=self.environment, cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
        self.daemons.append(found)
        lines = []
        while not lines or "exai serves" not in lines[-1]:
            lines.append(found.stdout.readline())
            assert lines[-1], lines
        return found

    def term(self, *words, code=0):
        ran = subprocess.run([*EXAI, "term", *words], env=self.environment, cwd=self.path, capture_output=True, text=True, check=False)  # fmt: skip
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def attach(self, *words):
        found = pexpect.spawn(EXAI[0], [*EXAI[1:], "term", *words], env=self.environment, cwd=str(self.path), dimensions=(30, 100), timeout=60, encoding="utf-8")  # fmt: skip
        self.clients.append(found)
        return found

    def listed(self):
        said = self.term("list", "--json")
        return json.loads(said[: said.rindex("]") + 1])

    def close(self):
        for client in self.clients:
            client.close(force=True)
        for path in (self.path / "exai/state/terminals").glob("*.sock"):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    is_keeper = path.stem.encode() in process.read_bytes()
                except OSError:
                    continue
                if is_keeper:
                    os.kill(int(process.parent.name), signal.SIGTERM)
        for daemon in self.daemons:
            daemon.kill()
            daemon.wait()
            daemon.stdout.close()


def home_in(tmp_path):
    """For the caller to close."""
    settings = {
        "EXAI_WS_PORT": str(free_port()),
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "HEALTH_CHECK_PORT": "0",
        "EXAI_SIMULATE": "true",
        "EXAI_TERMINALS": "root" if os.geteuid() == 0 else "true",
    }
    return Home(tmp_path, settings)
