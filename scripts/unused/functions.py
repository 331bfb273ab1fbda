"""Functions that nothing ever ran: the syntax tree beside what coverage has seen, by context."""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

CONFIG: Final = "scripts/coverage.cfg"
BASELINE: Final = "baseline"
_COLLECT: Final = "collect --runs 1"


def measure(root, data, words):
    """Run the tests, and the baseline of all tools, with every process that they start under coverage. Returns whether both passed."""
    runs = [
        (["-m", "pytest", "-q", *words], []),
        (["scripts/baseline.py", *_COLLECT.split()], ["--context", BASELINE]),
    ]
    good = True
    for number, (command, how) in enumerate(runs):
        with tempfile.TemporaryDirectory() as folder:
            config = _config(root, Path(folder), dynamic=not how)
            done = subprocess.run(
                [sys.executable, "-m", "coverage", "run", f"--rcfile={config}", f"--data-file={data}.{number}", *how, *command],
                cwd=root, check=False,
            )  # fmt: skip
            good = good and done.returncode == 0
    combine = [
        "combine",
        "--keep",
        f"--data-file={data}",
        *map(str, data.parent.glob(f"{data.name}.*")),
    ]
    subprocess.run(
        [sys.executable, "-m", "coverage", *combine],
        cwd=root,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return good


def _config(root, folder, *, dynamic):
    """Of processes that a test starts the test is not known: they have the context of what started them, or none."""
    text = (root / CONFIG).read_text(encoding="utf-8")
    path = folder / "coverage.cfg"
    path.write_text(
        text if dynamic else text.replace("dynamic_context = test_function\n", ""), encoding="utf-8"
    )
    return path


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
    from coverage import CoverageData

    read = CoverageData(basename=str(data))
    read.read()
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
