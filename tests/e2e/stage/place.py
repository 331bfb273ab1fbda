"""A home and ports for the programs under test."""

import json
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs

from stage.old_client import Old, old_client
from stage.waiting import PATIENCE_S

EXAI = [sys.executable, "-P", "-m", "exai_trio"]


@attrs.frozen(kw_only=True)
class Place:
    """A home and ports of its own, with nothing of this machine's settings."""

    home: Path
    port: int
    health: int = 0
    pages: int = 0
    settings: dict[str, str] = attrs.field(factory=dict)

    python = sys.executable

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ENV_FILE": os.devnull,
            "EXAI_HOME": str(self.exai),
            "EXAI_WS_PORT": str(self.port),
            "HEALTH_CHECK_PORT": str(self.health),
            "MONITORING_PORT": str(self.pages),
            "INCIDENTS_PORT": "0",
            **self.settings,
        }

    @property
    def exai(self) -> Path:
        return self.home / "exai"

    @property
    def temporary(self) -> Path:
        return self.home / "tmp"

    @property
    def logs(self) -> Path:
        return self.exai / "logs"

    def client(self, **hello: Any) -> AbstractAsyncContextManager[Old]:
        """A client that has said hello and was welcomed."""
        return old_client(self.port, **hello)

    def logged(self, event: str) -> int:
        """How often the daemon's log has this event."""
        lines = (self.logs / "ws_daemon.log").read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["event"] == event for line in lines)

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        self.temporary.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [*EXAI, *argv],
            cwd=self.home,
            env={**self.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *argv: str, within: float = PATIENCE_S, **more: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        with self.start(*argv, **more) as running:
            try:
                out, err = running.communicate(timeout=within)
            finally:
                running.kill()
        return running.returncode, out.decode(), err.decode()
