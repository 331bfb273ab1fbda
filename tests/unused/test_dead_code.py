"""What nobody uses is named, and what may stay has a reason; the tree itself has nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from unused import exceptions, functions, names  # noqa: E402

MODULE = '''"""A module."""

import os


def used(value):
    """Says it."""
    if value:
        return value
    return wanted()


def forgotten():
    """Nobody calls it."""
    return os.sep


class Kept:
    """A class."""

    def method(self):
        def inner():
            return 1
        return inner()


def stub():
    """Nothing."""
'''
EXCEPTION = """
[[unused]]
kind = "name"
file = "mod*.py"
names = ["forgotten"]
because = "it is planted for this test"
"""


@pytest.fixture
def tree(tmp_path):
    """A package of one module, of which a test uses a part."""
    (tmp_path / "exai_trio").mkdir()
    (tmp_path / "exai_trio" / "__init__.py").touch()
    (tmp_path / "exai_trio" / "module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nfrom exai_trio.module import used, Kept, stub\n\n\n"
        "def test_it():\n    used(1)\n    assert Kept().method\n    stub()\n",
        encoding="utf-8",
    )
    return tmp_path


def test_a_name_that_stands_nowhere_else_is_found(tree):
    assert [("module.py", 13, "forgotten", "function")] == [*names.unused(tree)]


def test_functions_of_which_no_line_ran_are_found(tree):
    """By a real measurement; one of which a single branch ran has run, and one without a body is no function."""
    data = tree / "data"
    call = "import exai_trio.module as m; m.used(1)"
    command = [
        sys.executable,
        "-m",
        "coverage",
        "run",
        "--source=exai_trio",
        f"--data-file={data}",
        "-c",
        call,
    ]
    path = tree / "call.py"
    path.write_text(call, encoding="utf-8")
    subprocess.run([*command[:-2], str(path)], cwd=tree, check=True)

    found = [*functions.never_ran(tree, data)]
    assert [
        ("module.py", 13, "forgotten"),
        ("module.py", 21, "Kept.method"),
        ("module.py", 22, "Kept.method.inner"),
    ] == found


@pytest.mark.real
def test_a_measurement_holds_tests_and_baseline_each_under_its_name(tree):
    """What only one of them ran has run."""
    shutil.copytree(ROOT / "scripts" / "unused", tree / "scripts" / "unused")
    shutil.copy(ROOT / "scripts" / "coverage.cfg", tree / "scripts")
    (tree / "scripts" / "baseline.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nimport exai_trio.module as m\nm.forgotten()\n",
        encoding="utf-8",
    )
    assert functions.measure(
        tree, tree / "data", ["--import-mode=importlib", "-p", "no:cacheprovider"]
    )

    read = CoverageData(basename=str(tree / "data"))
    read.read()
    assert {"tests/test_it.py", "baseline"} == read.measured_contexts() - {""}
    never = [name for _, _, name in functions.never_ran(tree, tree / "data")]
    assert ["Kept.method", "Kept.method.inner"] == never


def test_an_exception_allows_and_one_that_allows_nothing_is_named(tmp_path):
    path = tmp_path / "exceptions.toml"
    path.write_text(EXCEPTION, encoding="utf-8")
    found = exceptions.read(path)

    assert [
        "exceptions.toml: mod*.py: forgotten: nothing unused has this name; take it out"
    ] == found.idle("name")
    assert (True, False, False) == (
        found.allows("name", "module.py", "forgotten"),
        found.allows("function", "module.py", "forgotten"),
        found.allows("name", "other.py", "forgotten"),
    )
    assert [] == found.idle("name")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            'because = "it is planted for this test"',
            "",
            "has file, kind, names; allowed, and needed:",
        ),
        ('"it is planted for this test"', '"so"', "because is 'so'; allowed: a reason"),
        ('kind = "name"', 'kind = "nom"', "kind is 'nom'; allowed: name, function"),
        ("[[unused]]", "[[unused", "cannot be read"),
    ],
)
def test_an_exception_without_a_reason_is_refused(tmp_path, before, after, why):
    path = tmp_path / "exceptions.toml"
    path.write_text(EXCEPTION.replace(before, after), encoding="utf-8")
    with pytest.raises(exceptions.Wrong) as refused:
        exceptions.read(path)

    assert why in str(refused.value)


@pytest.mark.real
@pytest.mark.timeout(300)
def test_the_tree_has_no_name_that_nobody_uses():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "dead_code", "names"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["functions", "/no/such/data"], ["functions", __file__]]
)
def test_what_cannot_be_meant_ends_with_2(words):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "dead_code", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (2, True) == (done.returncode, 0 < done.stderr.count("\n") < 8)
