"""Answers that are too large for a line."""

from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.calls.results import success
from exai_trio.mcp.versions import Dialect
from exai_trio.wire.messages import CallResult, Output


def test_a_large_answer_without_structure_keeps_its_beginning(tmp_path):
    """The text names the file and begins as the whole did."""
    outcome = CallResult(request_id="r", outputs=[Output(text="z" * 9_000_000)])
    result = LargeResults(tmp_path / "files").shortened(
        success(outcome, Dialect("2025-11-25")), "../../key"
    )

    (file,) = (tmp_path / "files").iterdir()
    assert str(file) in result["content"][0]["text"]
    assert "zzz" in result["content"][0]["text"]
    assert file.read_text() == "z" * 9_000_000
