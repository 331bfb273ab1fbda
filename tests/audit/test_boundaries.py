"""docs/boundaries.toml: what crosses a boundary is red, one of each kind; contracts and page are drawn from it."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from auditing.boundaries import idle, read, violations  # noqa: E402
from auditing.imports import modules  # noqa: E402
from auditing.run import python_files  # noqa: E402
from auditing.shapes import Wrong  # noqa: E402

TEXT = (ROOT / "docs" / "boundaries.toml").read_text(encoding="utf-8")
FILES = dict(python_files(ROOT / "exai_trio", ROOT))
PACKAGES = {
    name.removesuffix("/__init__.py").replace("/", ".")
    for name in FILES
    if name.endswith("/__init__.py")
}


def _violations(module, text):
    """What is found in one module when this is added to it."""
    home = f"exai_trio.{module}"
    path = "exai_trio/" + module.replace(".", "/")
    name = f"{path}.py" if f"{path}.py" in FILES else f"{path}/__init__.py"
    trees = {home: ast.parse(f"{FILES.get(name, '')}\n{text}\n")}
    return [fault for _, _, fault in violations(read(TEXT), trees, PACKAGES)]


PLANTED = {
    "up: a lower package uses a higher one": ("wire.codec", "from exai_trio.daemon import app"),
    "beside: neighbours know each other": ("storage.memory", "import exai_trio.workspace.read"),
    "inside a function": ("mcp.server", "def f():\n    from exai_trio.tools import registry"),
    "relative": ("resilience.backoff", "from ..providers import gateway"),
    "a library that a package must not know": ("tools.base", "import starlette"),
    "asyncio": ("daemon.control.drain", "import asyncio"),
    "a pure module that waits": ("mcp.versions", "import trio"),
    "a second module with sqlite3": ("storage.sqlite.journal", "from sqlite3 import connect"),
    "a second module with openai": ("providers.gateway", "import openai"),
    "a socket": ("wire.hosts", "from urllib.request import urlopen"),
    "a process": ("mcp.tool_list", "import os\nos.system('ls')"),
    "a file": ("resilience.breaker", "def f(path):\n    return path.read_text()"),
    "the environment": ("settings.load", "import os\nHOME = os.environ['HOME']"),
    "the clock": ("settings.rules", "from datetime import datetime\nNOW = datetime.now()"),
    "a thread": ("mcp.prompts", "import threading"),
    "a package that is declared nowhere": ("novelty", "A = 1"),
}


@pytest.mark.real  # scripts/rules, which scripts/test begins with, does the same
def test_our_own_tree_crosses_no_boundary():
    trees = modules(FILES.items())
    assert [] == [*violations(read(TEXT), trees, PACKAGES), *idle(read(TEXT), trees)]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_crosses_a_boundary_is_red(kind):
    module, text = PLANTED[kind]
    assert len(_violations(module, text)) == 1  # the tree itself has none


def test_imports_for_types_cross_none():
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from exai_trio.daemon import app"
    )
    assert [] == _violations("wire.codec", text)


def test_a_permission_that_nobody_uses_is_red():
    declared = read(
        TEXT.replace("[effects.threads]\nmay = [\n", '[effects.threads]\nmay = [\n  "wire",\n')
    )
    red = ("exai_trio.wire", 1, "has no effect threads any more")
    for text, is_red in (("", True), ("import trio\ntrio.to_thread.run_sync(len)", False)):
        found = idle(declared, {"exai_trio.wire.codec": ast.parse(text)})
        assert is_red == (red in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "wire"', 'nome = "wire"', "unknown key 'nome'; allowed: is, may_use"),
        ('name = "wire"', 'name = "mcp"', "package: ['mcp'] is declared twice"),
        (
            "[effects.clock]",
            "[effects.clocks]",
            "unknown key 'clocks'; allowed: clock, environment",
        ),
        (
            'may_use = ["cli"]',
            'may_use = ["clii"]',
            "__main__: may_use: 1: 'clii' is not allowed; allowed:",
        ),
        (
            'may_use = ["cli"]',
            'may_use = "cli"',
            "__main__: may_use: 'cli' is not allowed; allowed: a list",
        ),
        (
            'may_use = ["cli"]',
            "may_use = [1]",
            "__main__: may_use: 1: 1 is not allowed; allowed: a text",
        ),
        ("[pure]", "[impure]", "unknown key 'impure'; allowed: effects"),
        ("[[only]]", "[[package]]", "only: is missing; allowed: a list"),
        (
            "[effects.threads]\nmay",
            "[effects.threads]\nmight",
            "threads: unknown key 'might'; allowed: may",
        ),
        ("[pure]", "[pure", "no TOML"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_one_line(old, new, said):
    with pytest.raises(Wrong, match=r"^docs/boundaries.toml") as raised:
        read(TEXT.replace(old, new))
    assert said in str(raised.value)


@pytest.mark.real  # scripts/rules, which scripts/test begins with, does the same
def test_contracts_and_page_are_current_and_nothing_is_crossed():
    command = [sys.executable, ROOT / "scripts" / "boundaries", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.real
def test_the_contracts_hold_import_linter_to_the_declaration(tmp_path):
    """One import of each kind in a copy of the tree, and each contract that forbids it is broken."""
    shutil.copytree(ROOT / "exai_trio", tmp_path / "exai_trio")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, text in {
        "wire/codec": "from exai_trio.providers import gateway",
        "tools/base": "import httpx2",
        "providers/gateway": "import openai",
        "mcp/versions": "import trio",
    }.items():
        with (tmp_path / "exai_trio" / f"{module}.py").open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")
    lint = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run(
        lint, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    for contract in (
        "Folders are layers; imports go down only; packages on one line do not know each other",
        "wire uses what it may",
        "tools uses what it may",
        "One module imports openai",
        "Pure modules know no trio, no clock, no sockets",
    ):
        assert f"{contract} BROKEN" in done.stdout
