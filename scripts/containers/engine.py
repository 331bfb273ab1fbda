"""Podman with a store of its own: what is built and started here touches nothing else on this machine, and goes with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = ("podman", "runc", "catatonit", "mmdebstrap", "unshare", "ip")
# The limits lie under any hard limit; health checks are asked by us, since there may be no systemd to do it.
_CONF: Final = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""
_WRAPPER: Final = """#!/bin/sh
exec {podman} --root {place}/store --runroot {place}/run "$@"
"""


def why_not() -> str:
    """Why containers cannot be built here, or ""."""
    if os.geteuid() != 0:
        return "this needs root"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    alone = subprocess.run(("unshare", "--net", "--mount", "true"), check=False)
    return "" if alone.returncode == 0 else "no network namespace can be made"


class EngineError(Exception):
    """Podman, or what it ran, has failed; the text is what it said last."""


@attrs.frozen
class Engine:
    """`place` holds the store, the wheels and the base; all of it may be deleted when nothing runs. `files` are those of the services."""

    place: Path
    files: tuple[Path, ...] = (ROOT / "compose.yaml", Path(__file__).parent / "check.yaml")

    @property
    def program(self) -> Path:
        return self.place / "bin" / "podman"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "CONTAINERS_CONF": str(self.place / "containers.conf"), "PATH": path}

    def prepare(self) -> None:
        self.program.parent.mkdir(parents=True, exist_ok=True)
        (self.place / "containers.conf").write_text(_CONF)
        if not self.program.exists():
            self.program.write_text(
                _WRAPPER.format(podman=shutil.which("podman"), place=self.place)
            )
            self.program.chmod(0o755)

    def podman(self, *words: str) -> str:
        """What it says on stdout. Raises EngineError."""
        return self.run(str(self.program), *words)

    def compose(self, *words: str, **settings: str) -> str:
        """As podman, for the services and what the check changes of them."""
        return self.run(*self.compose_command(*words), **settings)

    def compose_command(self, *words: str) -> tuple[str, ...]:
        chosen = [word for file in self.files for word in ("-f", str(file))]
        program = str(Path(sys.executable).with_name("podman-compose"))
        return (program, "-p", "exai_check", *chosen, *words)

    def run(self, *command: str, **settings: str) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **settings},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise EngineError(f"{' '.join(command[:6])} …: exit {done.returncode}\n{said}")
        return done.stdout.strip()

    def remove(self) -> None:
        """Everything, the images too."""
        if self.program.exists():
            for words in (("rm", "-af"), ("volume", "prune", "-f"), ("rmi", "-af")):
                subprocess.run(
                    (str(self.program), *words),
                    env=self.environment,
                    check=False,
                    capture_output=True,
                )
        shutil.rmtree(self.place, ignore_errors=True)
