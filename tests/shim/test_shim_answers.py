"""Budgets, tool results for each version, and the copy of the tool list."""

import json

import pytest
import trio
from mcp_types import methods

from exai_trio.shim.answers import failure, local_fault, success
from exai_trio.shim.budgets import budget_of
from exai_trio.shim.large import Shelf
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire import mcp
from exai_trio.wire.mcp_dialect import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.wire.mcp_listing import from_file, listing_of, to_file
from exai_trio.wire.messages import CallResult, Output

ALL = [*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS]
OUTCOME = CallResult(
    request_id="r",
    outputs=[Output(text='{"status":"success"}', metadata={"latency_metrics": {"latency_ms": 1}})],
    usage={"input_tokens": 1},
)


def plain(result):
    return json.loads(mcp.answer(1, result))["result"]


@pytest.mark.parametrize("version", ALL)
def test_results_are_valid_in_every_version(version):
    """Success and failure are tools/call results of each version."""
    dialect = Dialect(version)
    fault = local_fault("TIMEOUT", "too slow", "timeout", retryable=True)
    for result in (success(OUTCOME, dialect), failure("chat", fault, dialect)):
        methods.validate_server_result("tools/call", version, plain(result))


@pytest.mark.parametrize("version", ALL)
def test_structured_content_is_given_where_the_version_has_it(version):
    """From 2025-06-18 on."""
    given = plain(success(OUTCOME, Dialect(version))).get("structuredContent")

    assert given == ({"status": "success"} if version >= "2025-06-18" else None)


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"a":', "[" * 9_000])
def test_text_that_is_no_object_is_only_text(text):
    """Structure is never made up."""
    outcome = CallResult(request_id="r", outputs=[Output(text=text)])

    assert "structuredContent" not in success(outcome, Dialect("2025-11-25"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("VALIDATION_ERROR", "did not run"),
        ("INTERRUPTED", "may have run"),
        ("PROVIDER_ERROR", "The call ran"),
    ],
)
def test_a_failure_says_whether_the_call_ran(code, words):
    """Who reads it knows whether trying again repeats work."""
    fault = local_fault(code, "broken", "tool", retryable=False)

    assert words in failure("chat", fault, Dialect("2025-11-25"))["content"][0]["text"]


@pytest.mark.parametrize("client", ["codex-mcp-client", "Codex", "claude-ai"])
def test_known_clients_are_answered_before_they_give_up(client):
    """Daemon's limit < ours < the client's."""
    budget = budget_of(client)

    assert budget.handle_s < budget.answer_s < 60


@pytest.mark.parametrize("client", ["claude-code", "", "somebody"])
def test_patient_clients_leave_the_limit_to_the_daemon(client):
    """A client that waits for hours asks for no handle."""
    assert budget_of(client).handle_s is None


def test_a_copy_of_the_list_is_taken_only_if_it_is_whole():
    """A cut, changed or foreign file is no list."""
    content = to_file(listing_of([{"name": "chat", "inputSchema": {"type": "object"}}]))

    assert (
        from_file(content).hash
        == listing_of([{"name": "chat", "inputSchema": {"type": "object"}}]).hash
    )
    for broken in (b"", b"{}", content[:-9], content.replace(b"chat", b"chot"), b"\xff", b"[1]"):
        assert from_file(broken) is None
    assert listing_of([]) is None


def test_a_large_answer_without_structure_keeps_its_beginning(tmp_path):
    """The text names the file and begins as the whole did."""
    outcome = CallResult(request_id="r", outputs=[Output(text="z" * 9_000_000)])
    result = Shelf(tmp_path / "files").shortened(
        success(outcome, Dialect("2025-11-25")), "../../key"
    )

    (file,) = (tmp_path / "files").iterdir()
    assert str(file) in result["content"][0]["text"]
    assert "zzz" in result["content"][0]["text"]
    assert file.read_text() == "z" * 9_000_000


async def test_many_lines_are_one_write():
    """What waits is written together, in order."""
    writes = []

    class Output(trio.abc.SendStream):
        async def send_all(self, data):
            writes.append(bytes(data))
            await trio.lowlevel.checkpoint()

        async def wait_send_all_might_not_block(self):
            await trio.lowlevel.checkpoint()

        async def aclose(self):
            await trio.lowlevel.checkpoint()

    lines = LineWriter(Output(), room=10)
    for number in range(5):
        lines.put(b"%d.....\n" % number)
    full = lines.full
    async with trio.open_nursery() as legs:
        legs.start_soon(lines.run)
        await lines.wait_room()
        await lines.wait_empty()
        legs.cancel_scope.cancel()

    assert full
    assert writes == [b"".join(b"%d.....\n" % number for number in range(5))]
