"""Any other OpenAI-compatible endpoint."""

import pytest

from exai_trio.errors import PromptTooLongError, ProviderQuotaError
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.catalogue import ModelInfo
from exai_trio.providers.dialects.generic import plain_dialect
from exai_trio.providers.refusals.provider_errors import Complaint

DIALECT = plain_dialect("router")


def test_a_request_on_the_common_ground():
    """Standard fields only, usage asked for."""
    model = ModelInfo(name="m", provider="router", output_limit=100, thinking="effort")
    request = ChatRequest(
        model="m",
        messages=(Message(role="user", text="hi"),),
        temperature=0.2,
        thinking="max",
        max_output_tokens=500,
    )

    assert DIALECT.chat_body(request, model) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 100,
        "temperature": 0.2,
        "reasoning_effort": "high",
    }


@pytest.mark.parametrize(
    ("complaint", "error"),
    [
        (
            Complaint(status=400, code="context_length_exceeded", type="invalid_request_error"),
            PromptTooLongError,
        ),
        (Complaint(status=429, type="insufficient_quota"), ProviderQuotaError),
    ],
)
def test_codes_that_everybody_copied(complaint, error):
    """By code, else by type."""
    assert DIALECT.judge(complaint).error is error
    assert DIALECT.judge(Complaint(status=400, code="other")) is None
