"""`scripts/audit` from a shell: what it prints, its exit codes, exceptions, and the ratchet."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
SILENT = "def f(g):\n    try:\n        g()\n    except ValueError:{}\n        pass\n"


@pytest.fixture
def repository(tmp_path):
    """A repository with this program and one module, whose one fault is explained."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "audit", tmp_path / "scripts")
    shutil.copytree(ROOT / "scripts" / "auditing", tmp_path / "scripts" / "auditing")
    _write(tmp_path / ".ci" / "exceptions.json", '{"empty-handler": 1}')
    _write(tmp_path / ".ci" / "made_up_secrets.json", "[]")
    explained = SILENT.format("  # audit: empty-handler, because it may")
    _write(tmp_path / "exai_trio" / "module.py", explained)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def _write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _audit(where, *argv):
    """Exit code, stdout and stderr."""
    command = [sys.executable, where / "scripts" / "audit", *argv]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_our_own_tree_has_no_finding_that_is_not_explained():
    assert (0, "", "") == _audit(ROOT)


def test_a_finding_is_one_line_and_exit_one(repository):
    _write(repository / "new.py", SILENT.format(""))
    code, said, _ = _audit(repository, "new.py")
    assert code == 1
    assert said.startswith("new.py:4 empty-handler ValueError")
    assert said.count("\n") == 1


def test_json_and_sarif_say_the_same(repository):
    _write(repository / "new.py", SILENT.format(""))
    code, said, _ = _audit(repository, "new.py", "--json")
    (finding,) = json.loads(said)
    assert (1, "new.py", 4, "empty-handler") == (
        code,
        finding["path"],
        finding["line"],
        finding["rule"],
    )
    code, said, _ = _audit(repository, "new.py", "--sarif")
    (run,) = json.loads(said)["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (1, "empty-handler", 4) == (code, result["ruleId"], place["region"]["startLine"])
    assert "empty-handler" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


@pytest.mark.parametrize(
    "argv", [("--xml",), ("--json", "--sarif"), ("exai_trio", "scripts"), ("nowhere.py",)]
)
def test_wrong_usage_is_exit_two(repository, argv):
    code, said, complained = _audit(repository, *argv)
    assert (2, "") == (code, said)
    assert complained


def test_a_file_that_is_no_python_is_told_in_one_line_and_the_others_are_audited(repository):
    _write(repository / "exai_trio" / "broken.py", "def f(:\n")
    _write(repository / "exai_trio" / "silent.py", SILENT.format(""))
    code, said, complained = _audit(repository, "exai_trio")
    assert (2, True) == (code, "silent.py:4" in said)
    assert complained.startswith("exai_trio/broken.py:1 is no Python: ")
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = 1\0", "new.py:1 is no Python: "),
        ("-" * 100_000 + "1", "new.py:1 is nested too deeply"),
        ("+".join(["1"] * 20_000), "new.py:1 is nested too deeply"),
        ("def sleep(): trio.sleep(" + "+".join(["1"] * 900) + ")", ""),
    ],
    ids=["null", "parser", "tree", "rules"],
)
def test_what_no_parser_takes_is_one_line_and_exit_two(repository, text, said):
    _write(repository / "new.py", text)
    code, _, complained = _audit(repository, "new.py")
    assert (complained.count("\n"), code) in {(1, 2), (0, 1)}
    assert complained.startswith(said)


def test_a_file_that_cannot_be_read_is_one_line_and_exit_two(repository):
    (repository / "exai_trio" / "gone.py").symlink_to("nowhere")
    code, _, complained = _audit(repository, "exai_trio")
    assert (2, True) == (
        code,
        complained.endswith("gone.py: cannot be read: No such file or directory\n"),
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("exceptions.json", "{", "is no JSON"),
        ("exceptions.json", "[]", "[] is not allowed; allowed: a table"),
        (
            "exceptions.json",
            '{"port": -1}',
            "port: -1 is not allowed; allowed: a whole number from 1",
        ),
        ("made_up_secrets.json", "[1]", "1: 1 is not allowed; allowed: a text"),
    ],
)
def test_what_is_noted_and_cannot_be_meant_is_one_line_and_exit_two(repository, name, text, said):
    _write(repository / ".ci" / name, text)
    code, _, complained = _audit(repository)
    assert (2, 1, True) == (code, complained.count("\n"), said in complained)
    assert complained.startswith(f".ci/{name}: ")
    assert text == (repository / ".ci" / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("exit 0", 0, ""),
        ("echo trio 0.1 GHSA-1; exit 1", 1, "trio 0.1 GHSA-1\n"),
        (
            "echo ConnectionError >&2; exit 1",
            0,
            "vulnerabilities: skipped, the database does not answer\n",
        ),
        (None, 0, "vulnerabilities: skipped, pip-audit is not installed\n"),
    ],
)
def test_known_vulnerabilities_of_the_lock_are_red_where_somebody_can_be_asked(
    repository, monkeypatch, program, code, said
):
    if program:
        path = repository / "bin" / "pip-audit"
        _write(path, f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository / 'bin'}:/usr/bin:/bin")
    assert (code, said, "") == _audit(repository, "--vulnerabilities")


@pytest.mark.parametrize(
    ("comment", "rule"),
    [
        ("  # audit: empty-handler", "empty-handler"),
        ("  # audit: empty-handler, because", "empty-handler"),
        ("  # audit: port, because it may", "empty-handler"),
        ("  # audit: no-handler, because it may", "no-such-rule"),
    ],
)
def test_an_exception_needs_the_rule_and_a_reason(repository, comment, rule):
    _write(repository / "new.py", SILENT.format(comment))
    code, said, _ = _audit(repository, "new.py")
    assert (1, True) == (code, f" {rule} " in said)


def test_an_exception_without_a_finding_is_one(repository):
    _write(repository / "new.py", "A = 1  # audit: port, because it may\n")
    code, said, _ = _audit(repository, "new.py")
    assert (1, True) == (code, "new.py:1 idle-exception" in said)


def test_exceptions_may_only_become_fewer(repository):
    assert (0, "", "") == _audit(repository)
    again = repository / "exai_trio" / "again.py"
    shutil.copy(repository / "exai_trio" / "module.py", again)
    code, said, _ = _audit(repository)
    assert (1, True) == (code, "2 exceptions, 1 before" in said)
    _audit(repository, "--lower")
    assert _audit(repository)[0] == 1
    again.unlink()
    (repository / "exai_trio" / "module.py").unlink()
    assert _audit(repository)[0] == 1
    _audit(repository, "--lower")
    assert (0, "", "") == _audit(repository)
    assert {} == json.loads((repository / ".ci" / "exceptions.json").read_text("utf-8"))


def test_a_secret_is_found_in_any_file_and_shown_by_its_beginning(repository):
    key = "ghp_" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz123"
    _write(repository / "notes.txt", f"the key is {key}\n")
    code, said, _ = _audit(repository)
    assert (1, True, False) == (code, "notes.txt:1 secret ghp_aB…" in said, key in said)
    mark = said.split()[-1]
    _write(repository / ".ci" / "made_up_secrets.json", json.dumps([mark]))
    assert (0, "", "") == _audit(repository)
