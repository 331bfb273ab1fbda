"""Functions that nothing ever ran: the syntax tree beside what coverage has seen."""

import ast
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

CONFIG: Final = "scripts/coverage.cfg"
_COLLECT: Final = ("collect", "--runs", "1")
_GOOD: Final = {0, 5}  # 5: a folder has no test of that kind


class Unreadable(Exception):
    """What was named is no measurement of coverage."""


def measure(root, data, words):
    """Run the tests, folder by folder, as many at once as there are processors, and the baseline of all tools, with every process
    that they start under coverage; what a folder has shown is kept whatever becomes of the next, with its name as context. Returns
    whether all passed."""
    tests = root / "tests"
    folders = [path for path in sorted(tests.iterdir()) if path.is_dir() or path.match("test_*.py")]
    pytest = ["-m", "pytest", "-q", "-p", "no:xdist", "-p", "unused.traced_threads", *words]
    runs = {f"tests/{path.name}": [*pytest, str(path)] for path in folders}
    runs["baseline"] = ["scripts/baseline.py", *_COLLECT]
    with ThreadPoolExecutor(os.cpu_count()) as lanes:
        codes = {*lanes.map(partial(_run, root, data), runs, runs.values())}
    combine = ["combine", "--quiet", "--append", f"--data-file={data}"]
    found = [str(path) for path in data.parent.glob(f"{data.name}.*")]
    subprocess.run([sys.executable, "-m", "coverage", *combine, *found], cwd=root, check=True)
    return codes <= _GOOD


def _run(root, data, who, command):
    coverage = ["-m", "coverage", "run", f"--rcfile={CONFIG}", f"--data-file={data}"]
    env = {**os.environ, "PYTHONPATH": str(root / "scripts"), "MEASURED_BY": who}
    return subprocess.run(
        [sys.executable, *coverage, *command], cwd=root, env=env, check=False
    ).returncode


def never_ran(root, data):
    """File, line and qualified name of each function of which no line was ever executed."""
    ran = executed(root, data)
    package = root / "exai_trio"
    for path in sorted(package.rglob("*.py")):
        shown = path.relative_to(package).as_posix()
        for line, name, lines in functions(path.read_text(encoding="utf-8")):
            if not lines & ran.get(shown, set()):
                yield shown, line, name


def executed(root, data):
    """The lines that ran, of each file of the package, whose data may have been taken in another place."""
    from coverage import CoverageData, CoverageException

    read = CoverageData(basename=str(data))
    try:
        read.read()
    except CoverageException as fault:
        raise Unreadable(f"{data}: is no measurement: {fault}") from fault
    found = {}
    for name in read.measured_files():
        _, _, shown = name.rpartition("/exai_trio/")
        found.setdefault(shown, set()).update(read.lines(name) or ())
    return found


def functions(text):
    """Line, qualified name and the lines of its statements, of each function that does something."""
    yield from _within(ast.parse(text), "")


def _within(node, prefix):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if lines := _statements(child):
                yield child.lineno, f"{prefix}{child.name}", lines
            yield from _within(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _within(child, f"{prefix}{child.name}.") if not _is_protocol(child) else ()
        else:
            yield from _within(child, prefix)


def _is_protocol(node):
    return any("Protocol" in ast.unparse(base) for base in node.bases)


def _statements(function):
    """Without its docstring, and without what only stands for a body."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return {statement.lineno for statement in body if not isinstance(statement, ast.Pass)}
