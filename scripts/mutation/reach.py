"""Which tests reach which mutant, and how long each takes: they are run once, with a probe before every statement that is to be changed."""

import ast
import builtins
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest

from .loading import load_instead
from .operators import Mutant

_MOST_S = 20.0  # of tests for one mutant, as long as they took when they were run
_IN_PROCESS = (
    "tests/storage/",
    "tests/shim/test_autostart.py",
)  # their real tests need threads and files, and run in this process
_JUDGED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
_PROBE = "_mutation_probe"
_HERE = str(Path(__file__).parent.parent)


@attrs.frozen
class Reach:
    """The names of the tests that reach each place, and the seconds that each takes."""

    names: dict[str, list[str]]
    seconds: dict[str, float]

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that reach its statement: first those of the folder that mirrors its own, the quickest of them at the head."""
        near = str(Path("tests", *Path(mutant.path).parts[1:-1]))
        ordered = sorted(
            self.names.get(place_of(mutant), ()),
            key=lambda name: (not name.startswith(near), self.seconds[name], name),
        )
        return _first(ordered, self.seconds)


def place_of(mutant: Mutant) -> str:
    """Where its statement begins."""
    return f"{mutant.path}:{mutant.first}"


def _first(ordered: list[str], seconds: dict[str, float]) -> list[str]:
    """As many as take so long together, and one at least."""
    taken, total = list[str](), 0.0
    for name in ordered:
        total += seconds[name]
        if taken and total > _MOST_S:
            break
        taken.append(name)
    return taken


def measured(chosen: Iterable[Mutant], tests: list[str], jobs: int) -> Reach:
    """Run those tests in so many processes. One that fails, or is skipped, judges no mutant. Raises RuntimeError if there is no
    running them."""
    places = sorted({place_of(mutant) for mutant in chosen})
    files = sorted({str(file) for name in tests for file in _test_files(Path(name))})
    names, seconds = defaultdict[str, list[str]](list), dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        kept = [Path(folder, str(number)) for number in range(jobs)]
        running = [_begin(path, places, files[n::jobs]) for n, path in enumerate(kept)]
        codes = [process.wait() for process in running]
        if any(codes):
            raise RuntimeError("the tests could not be run where nothing was changed")
        for path in kept:
            found = json.loads(path.read_text(encoding="utf-8"))
            seconds |= found["seconds"]
            for place, reached in found["names"].items():
                names[place] += reached
    return Reach(names, seconds)


def _test_files(named: Path) -> list[Path]:
    return [named] if named.is_file() else sorted(named.rglob("test_*.py"))


def _begin(into: Path, places: list[str], files: list[str]) -> subprocess.Popen[bytes]:
    asked = into.with_suffix(".asked")
    asked.write_text(json.dumps({"places": places, "files": files}), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "mutation.reach", str(asked), str(into)],
        env={**os.environ, "PYTHONPATH": f"{_HERE}:{Path.cwd()}"},
        stdout=subprocess.DEVNULL,
    )


@attrs.define(eq=False)
class _Watch:
    """A plugin of pytest: real tests are left out but for some, and of each that passes it is noted what it reached, in how many seconds."""

    names: dict[str, list[str]] = attrs.field(factory=lambda: defaultdict[str, list[str]](list))
    seconds: dict[str, float] = attrs.field(factory=dict[str, float])
    _reached: set[str] = attrs.field(factory=set[str])
    _passed: set[str] = attrs.field(factory=set[str])

    def probe(self, place: str) -> None:
        self._reached.add(place)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if not item.get_closest_marker("real") or item.nodeid.startswith(_IN_PROCESS)
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        elif report.failed:
            self._passed.discard(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._reached.clear()
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            if item.nodeid in self._passed:
                self.seconds[item.nodeid] = round(time.perf_counter() - began, 4)
                for place in self._reached:
                    self.names[place].append(item.nodeid)


def main(asked: str, into: str) -> int:
    """Run the test files that are asked for, in this process; what each test reaches is written into that file."""
    said = json.loads(Path(asked).read_text(encoding="utf-8"))
    watch = _Watch()
    setattr(builtins, _PROBE, watch.probe)
    load_instead(dict(_with_probes(said["places"])))
    code = pytest.main(["-q", "-p", "no:cacheprovider", *said["files"]], plugins=[watch])
    kept = {"names": watch.names, "seconds": watch.seconds}
    Path(into).write_text(json.dumps(kept), encoding="utf-8")
    return 0 if code in _JUDGED else int(code)


def _with_probes(places: list[str]) -> Iterable[tuple[str, CodeType]]:
    lines = defaultdict[str, set[int]](set)
    for place in places:
        path, _, line = place.rpartition(":")
        lines[path].add(int(line))
    for path, wanted in lines.items():
        tree = _Probes(path, wanted).visit(ast.parse(Path(path).read_text(encoding="utf-8")))
        target = str(Path(path).resolve())
        yield target, compile(ast.fix_missing_locations(tree), target, "exec", dont_inherit=True)


class _Probes(ast.NodeTransformer):
    """Puts a call before each statement that begins on one of these lines."""

    def __init__(self, path: str, lines: set[int]) -> None:
        self._path, self._lines = path, lines

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        line = getattr(node, "lineno", 0)
        if not isinstance(node, ast.stmt) or line not in self._lines:
            return node
        said = ast.Constant(f"{self._path}:{line}")
        call = ast.Call(ast.Name(_PROBE, ast.Load()), [said], [])
        return [ast.copy_location(ast.Expr(call), node), node]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
