"""Which tests reach which line, and how long each takes: measured once by coverage, a context for each test."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import coverage
import pytest

STORE = Path("reports/mutants")  # ignored by git
_SOURCES = "EXAI_REACH_SOURCES"


@attrs.frozen
class Reach:
    """`tests` are those that reach a line of a module, the quickest first."""

    lines: dict[str, dict[int, list[str]]]

    def tests(self, path: str, line: int) -> list[str]:
        return self.lines.get(path, {}).get(line, [])


def measured(modules: list[str], tests: list[str]) -> Reach:
    """Run those tests with each module watched; what was measured of the same files is read again. Raises CalledProcessError if a test fails."""
    kept = STORE / f"reach-{_digest(tests)}.json"
    if not kept.exists():
        STORE.mkdir(parents=True, exist_ok=True)
        _run(kept, tests)
    found = json.loads(kept.read_text(encoding="utf-8"))
    return Reach(
        {path: {int(line): ids for line, ids in found.get(path, {}).items()} for path in modules}
    )


def _run(kept: Path, tests: list[str]) -> None:
    """As many processes as there are cores, each with a share of the test files; then one answer of all."""
    files = sorted({str(file) for name in tests for file in _test_files(Path(name))})
    share = os.cpu_count() or 1
    parts = [kept.with_suffix(f".part{number}") for number in range(share)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "mutation.reach", str(part), *files[number::share]],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, part in enumerate(parts)
    ]
    for process in running:
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"tests fail before anything is planted:\n{said}")
    kept.write_text(json.dumps(_merged(parts)), encoding="utf-8")
    for part in parts:
        part.unlink()


def _test_files(named: Path) -> list[Path]:
    return [named] if named.is_file() else sorted(named.rglob("test_*.py"))


def _merged(parts: list[Path]) -> dict[str, dict[str, list[str]]]:
    merged: dict[str, dict[str, list[tuple[float, str]]]] = {}
    for part in parts:
        for path, lines in json.loads(part.read_text(encoding="utf-8")).items():
            for line, tests in lines.items():
                merged.setdefault(path, {}).setdefault(line, []).extend(map(tuple, tests))
    return {
        path: {line: [name for _, name in sorted(tests)] for line, tests in lines.items()}
        for path, lines in merged.items()
    }


def _digest(tests: list[str]) -> str:
    """Of everything that the answer depends on."""
    digest = hashlib.sha256(repr(tests).encode())
    for folder in ("exai_trio", "tests"):
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


class _Watch:
    """A plugin of pytest: each test is a context of its own, and its seconds are noted."""

    def __init__(self, watching: coverage.Coverage) -> None:
        self._watching = watching
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._watching.switch_context(item.nodeid)
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.perf_counter() - began, 4)
            self._watching.switch_context("")


def main(part: str, files: list[str]) -> int:
    """One share of the tests, in this process."""
    watching = coverage.Coverage(data_file=None, source=["exai_trio"], branch=False)
    watch = _Watch(watching)
    watching.start()
    code = pytest.main(["-q", "-m", "not real", "-p", "no:cacheprovider", *files], plugins=[watch])
    watching.stop()
    Path(part).write_text(json.dumps(_lines(watching, watch.seconds)), encoding="utf-8")
    return int(code)


def _lines(
    watching: coverage.Coverage, seconds: dict[str, float]
) -> dict[str, dict[int, list[tuple[float, str]]]]:
    data, here = watching.get_data(), Path.cwd()
    return {
        str(Path(file).relative_to(here)): {
            line: [(seconds[name], name) for name in names if name]
            for line, names in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
