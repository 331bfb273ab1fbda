"""The page as it ships: what its first HTML holds, what its files weigh, and that the libraries are those that were published."""

import subprocess
import sys
from pathlib import Path

from exai_trio.daemon.http.page_assets import page_assets
from exai_trio.daemon.http.page_shell import _in_script

ROOT = Path(__file__).resolve().parents[3]


def test_the_libraries_are_as_they_were_published():
    """scripts/vendor has their hashes; each licence ships beside them."""
    command = [sys.executable, ROOT / "scripts" / "vendor", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    vendor = ROOT / "exai_trio/daemon/http/assets/vendor"
    assert {"lit-html.LICENSE", "uPlot.LICENSE"} <= {path.name for path in vendor.iterdir()}


def test_no_file_of_ours_makes_html_of_text():
    """What clients wrote gets into the page as text nodes alone."""
    ours = list((ROOT / "exai_trio/daemon/http/assets").glob("*.js"))
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "unsafeHTML", "document.write", "eval(", "style=", "https://", "http://")  # fmt: skip
    found = [(path.name, word) for path in ours for word in forbidden if word in path.read_text("utf-8")]  # fmt: skip

    assert [] == found


async def test_the_first_html_has_the_figures_of_who_may_see_them(pages):
    """Elsewhere there are none without a login; all that loads is under 120 KB, and named by its content."""
    async with pages() as visitor:
        near = await visitor.get("/calls")
        far = await visitor.ask("GET", "/calls", client="192.0.2.1")
        version = page_assets().version
        script = await visitor.get(f"/assets/{version}/dashboard.js")
        packed = await visitor.get(f"/assets/{version}/dashboard.js", accept_encoding="gzip")
        lost = await visitor.get(f"/assets/{version}/vendor/..")

    assert b"<dt>running calls</dt><dd>0</dd>" in near.body
    assert b"running calls" not in far.body
    assert b'"overview":null' in far.body
    assert f"/assets/{version}/dashboard.js".encode() in near.body
    assert 120_000 > len(near.body) + sum(map(len, page_assets().packed.values()))
    assert len(packed.body) < len(script.body) // 2
    assert ("gzip", 404) == (packed.headers["content-encoding"], lost.status)
    assert "immutable" in script.headers["cache-control"]


def test_nothing_ends_the_data_of_the_first_html():
    assert "<" not in _in_script({"tool": "</script><script>alert(1)</script>"})
