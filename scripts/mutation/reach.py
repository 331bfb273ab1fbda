"""Which tests reach which line, and how long each takes: measured by coverage, a context for each test, and kept by content."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import attrs
import coverage
import pytest

from .operators import Mutant

_MOST_S = 20.0  # of tests for one mutant, as long as they took when they were measured
_IN_PROCESS = (
    "tests/storage/",
    "tests/shim/test_autostart.py",
)  # their real tests need threads and files, and run in this process
_OF_SERVERS = (
    "tests/storage/supabase/"  # but those begin servers, which no fork of this process may share
)
_PATIENCE_S = 300  # a watched test takes its time
_SHARE = 12  # test files of one process at most: what it has measured is kept when it ends

Lines = dict[
    str, dict[str, list[tuple[float, str]]]
]  # by module and line: seconds and name of each test


@attrs.frozen
class Reach:
    """What the tests of these files reach."""

    lines: dict[str, Lines]

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that reach its line or the beginning of its statement: first those of the folder that mirrors its own, the quickest of
        them at the head."""
        found: dict[str, float] = {}
        for lines in self.lines.values():
            reached = lines.get(mutant.path, {})
            for line in {mutant.line, mutant.first}:
                found.update((name, seconds) for seconds, name in reached.get(str(line), ()))
        near = str(Path("tests", *Path(mutant.path).parts[1:-1]))
        ordered = sorted(found, key=lambda name: (not name.startswith(near), found[name], name))
        return _first(ordered, found)


def _first(ordered: list[str], seconds: dict[str, float]) -> list[str]:
    """As many as take so long together, and one at least."""
    taken, total = list[str](), 0.0
    for name in ordered:
        total += seconds[name]
        if taken and total > _MOST_S:
            break
        taken.append(name)
    return taken


def measured(tests: list[str], store: Path, jobs: int) -> Reach:
    """Run those tests with every module watched, but for the files whose reach is kept in `store`. Raises RuntimeError if a test fails."""
    store.mkdir(parents=True, exist_ok=True)
    files = sorted({str(file) for name in tests for file in _test_files(Path(name))})
    around = _digest(_around(tests))
    kept = {file: store / f"{_digest([Path(file)], around)}.json" for file in files}
    _run({file: path for file, path in kept.items() if not path.exists()}, jobs)
    return Reach(
        {file: json.loads(path.read_text(encoding="utf-8")) for file, path in kept.items()}
    )


def _test_files(named: Path) -> list[Path]:
    return [named] if named.is_file() else sorted(named.rglob("test_*.py"))


def _around(tests: list[str]) -> list[Path]:
    """What the reach of each test file depends on, beside itself."""
    found = [Path(__file__), Path("tests/conftest.py")]
    for folder in ("exai_trio", *tests):
        files = sorted(Path(folder).rglob("*.py"))
        found += [file for file in files if not file.name.startswith("test_")]
    return found


def _digest(files: Iterable[Path], before: str = "") -> str:
    digest = hashlib.sha256(before.encode())
    for file in files:
        digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()[:24]


def _run(missing: dict[str, Path], jobs: int) -> None:
    """So many processes side by side, each with a share of the test files."""
    files = list(missing)
    count = max(jobs, -(-len(files) // _SHARE)) if files else 0
    waiting = [share for number in range(count) if (share := files[number::count])]
    running: list[subprocess.Popen[str]] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_begin(waiting.pop(), missing))
            _end(running.pop(0))
    finally:
        for process in running:
            process.kill()
            process.communicate()


def _begin(share: list[str], missing: dict[str, Path]) -> subprocess.Popen[str]:
    words = [f"{file}={missing[file]}" for file in share]
    return subprocess.Popen(
        [sys.executable, "-m", "mutation.reach", *words],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent.parent}:{Path.cwd()}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"tests fail before anything is planted:\n{said}")


class _Watch:
    """A plugin of pytest: real tests are left out but for some, each test is a context of its own, and its seconds are noted."""

    def __init__(self, watching: coverage.Coverage) -> None:
        self._watching = watching
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item for item in items if not item.get_closest_marker("real") or _is_judge(item.nodeid)
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._watching.switch_context(item.nodeid)
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.perf_counter() - began, 4)
            self._watching.switch_context("")


def main(shares: dict[str, Path]) -> int:
    """Measure these test files in this process; what each reaches is written into its own file."""
    watching = coverage.Coverage(data_file=None, source=["exai_trio"], branch=False)
    watch = _Watch(watching)
    watching.start()
    words = ["-q", "-p", "no:cacheprovider", f"--timeout={_PATIENCE_S}"]
    code = pytest.main([*words, *shares], plugins=[watch])
    watching.stop()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(code)
    found = _by_test_file(watching, watch.seconds)
    for file, path in shares.items():
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(found.get(file, {})), encoding="utf-8")
        draft.replace(path)
    return 0


def _is_judge(name: str) -> bool:
    """Of a real test of this name."""
    return name.startswith(_IN_PROCESS) and not name.startswith(_OF_SERVERS)


def _by_test_file(watching: coverage.Coverage, seconds: dict[str, float]) -> dict[str, Lines]:
    data, here = watching.get_data(), Path.cwd()
    found: dict[str, Lines] = {}
    for module in data.measured_files():
        path = str(Path(module).relative_to(here))
        for line, names in data.contexts_by_lineno(module).items():
            for name in filter(None, names):
                lines = found.setdefault(name.partition("::")[0], {}).setdefault(path, {})
                lines.setdefault(str(line), []).append((seconds[name], name))
    return found


if __name__ == "__main__":
    sys.exit(main({file: Path(path) for file, _, path in (word.partition("=") for word in sys.argv[1:])}))  # fmt: skip
