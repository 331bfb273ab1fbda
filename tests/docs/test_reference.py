"""docs/reference says what the package has: the generated pages, and the routes of HTTP."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
ROUTE = re.compile(r"(/([a-z_.-]+|\{[a-z]+\}))+")


def test_the_generated_pages_are_current():
    """They are written by `scripts/reference.py` and by nobody else."""
    command = [sys.executable, ROOT / "scripts" / "reference.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


def test_every_http_route_is_told_and_none_besides():
    """A route is a text in the modules of daemon/http that looks like one."""
    served = set()
    for module in (ROOT / "exai_trio" / "daemon" / "http").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                served |= {node.value} if ROUTE.fullmatch(node.value) else set()
    told = re.findall(
        r"^\| `(/[^`]+)` \|", (REFERENCE / "http.md").read_text("utf-8"), re.MULTILINE
    )
    assert served == set(told)


def test_every_link_between_our_pages_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if "://" not in target
    ]
    lost = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in links
        if not (page.parent / target).exists()
    ]
    assert [] == lost
