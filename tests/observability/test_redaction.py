"""What never gets into a log."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.observability.redaction import LONGEST, Redaction

RULES = Redaction()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("authorization=Basic dXNlcjpwdw==", "dXNlcjpwdw"),
        ("{'token': 'tok-1'}", "tok-1"),
        ('{"api_key":"k-1","model":"m"}', "k-1"),
        ("EXAI_WS_TOKEN=tok-1", "tok-1"),
        ("GLM_API_KEY=0123456789abcdef0123456789abcdef.Zy12345678", "Zy12345678"),
        ("key 0123456789abcdef0123456789abcdef.Zy12345678 refused", "Zy12345678"),
        ("sk-abcdefgh12345678", "abcdefgh"),
        ("account org-5d2f8a<ak-e9c1b7d3> request", "e9c1b7d3"),
        ("jwt eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl here", "c2lnbmF0dXJl"),
        ("image data:image/png;base64,iVBORw0KGgo= seen", "iVBORw0KGgo"),
        ("password: hunter2", "hunter2"),
    ],
)
def test_secrets_are_taken_out_of_text(text: str, secret: str):
    """Each shape of secret is masked, and what stands around it stays."""
    clean = RULES.text(text)

    assert secret not in clean
    assert "<redacted>" in clean


@pytest.mark.parametrize(
    "text",
    [
        "24 tokens in, 310 out",
        "the session waits for its client",
        "task-force and risk-averse",
        "model glm-4.5-flash, 3 attempts",
        "organisation",
    ],
)
def test_ordinary_text_stays(text: str):
    """Words that merely look like secrets are not touched."""
    assert text == RULES.text(text)


def test_the_secrets_of_this_process_are_known():
    """A key of no known shape is masked because it is ours."""
    rules = Redaction.knowing(["my-very-own-key", "", "abc"])

    assert "a <redacted> b abc" == rules.text("a my-very-own-key b abc")


def test_values_are_searched_to_their_leaves():
    """Mappings and lists are copied with secrets masked by key or by shape; numbers stay numbers."""
    value = {"token": "x", "tokens": 3, "deep": [{"note": "Bearer abc"}], "session_id": "s"}

    assert {
        "token": "<redacted>",
        "tokens": 3,
        "deep": [{"note": "Bearer <redacted>"}],
        "session_id": "s",
    } == RULES.value(value)


def test_long_strings_are_cut():
    """A request body is not a log line: beginning and end are kept."""
    cut = RULES.text("a" * 5_000_000 + "end")

    assert len(cut) < LONGEST + 100
    assert cut.endswith("end")


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_value_can_be_redacted(value: object):
    """No value breaks the filter."""
    RULES.value(value)
