"""Budgets, tool results for each version, and the copy of the tool list."""

import json
import math
import re
from itertools import permutations

import pytest
import trio
from mcp_types import methods

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.large_results import Shelf
from exai_trio.mcp.results import failure, local_fault, success
from exai_trio.mcp.tool_list import from_file, listing_of, to_file
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.shim.client_timeouts import budget_of
from exai_trio.shim.known_clients import KNOWN, waits_s
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire.messages import CallResult, Output

ALL = [*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS]
OUTCOME = CallResult(
    request_id="r",
    outputs=[Output(text='{"status":"success"}', metadata={"latency_metrics": {"latency_ms": 1}})],
    usage={"input_tokens": 1},
)


def plain(result):
    return json.loads(jsonrpc.answer(1, result))["result"]


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


@pytest.mark.parametrize("known", [one for one in KNOWN if one.waits_s < math.inf])
@pytest.mark.parametrize("suffix", ["", "-mcp-client", " 2.1"])
def test_known_clients_are_answered_before_they_give_up(known, suffix):
    """Daemon's limit < ours < the client's, by a margin; a token does not matter."""
    for hears in (True, False):
        budget = budget_of(known.name.title() + suffix, hears_progress=hears)

        assert budget.handle_s + 2 <= budget.answer_s <= known.waits_s - 2


@pytest.mark.parametrize(
    ("client", "seconds"),
    [("codex-mcp-client", 300), ("Roo Code", 60), ("Cline", 60), ("Zed", 60), ("kimi-code", 60)],
)
def test_what_was_tried_is_in_the_table(client, seconds):
    """Codex waits for 300 s now; clients on the TypeScript SDK's default for 60."""
    assert seconds == waits_s(client, hears_progress=True)


def test_every_row_says_where_it_is_from():
    """A source, and the month in which it was true; no name hides another."""
    names = [known.name for known in KNOWN]

    assert all(known.source and re.fullmatch(r"20\d\d-[01]\d", known.seen) for known in KNOWN)
    assert [] == [a for a, b in permutations(names, 2) if a.startswith(b)]
    assert names == [name.casefold() for name in names]


@pytest.mark.parametrize("client", ["", "somebody", "opencode"])
def test_an_unknown_client_gets_a_handle_before_50_s(client):
    """Unless it hears progress, which extends its limit: then the limit is the daemon's."""
    assert budget_of(client, hears_progress=False).handle_s < 50
    assert budget_of(client, hears_progress=True).handle_s is None


@pytest.mark.parametrize("hears", [True, False])
def test_patient_clients_leave_the_limit_to_the_daemon(hears):
    """A client that waits for hours asks for no handle."""
    assert budget_of("claude-code", hears_progress=hears).handle_s is None


@pytest.mark.parametrize("seconds", [1.0, 5.0, 30.0, 45.0, 600.0, 7200.0])
@pytest.mark.parametrize("client", ["codex", "claude-code", "somebody"])
def test_what_the_user_says_counts(client, seconds):
    """EXAI_CLIENT_TIMEOUT_S goes before every name."""
    budget = budget_of(client, told_s=seconds)

    assert 0 < seconds / 2 <= budget.handle_s < budget.answer_s < seconds


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
