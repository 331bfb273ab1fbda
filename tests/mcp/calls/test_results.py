"""Outcomes and faults as tool results of each version."""

import json

import pytest
from mcp_types import methods

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.calls.results import failure, local_fault, success
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.wire.messages import ANSWER_TOO_LARGE, CallResult, Output

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


def test_a_call_whose_answer_is_too_large_has_run():
    """Whatever its code says of others."""
    fault = local_fault(
        "OVER_CAPACITY", "too large", "capacity", retryable=False, reason=ANSWER_TOO_LARGE
    )

    assert "The call ran." in failure("chat", fault, Dialect(ALL[0]))["content"][0]["text"]
