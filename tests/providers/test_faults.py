"""A service's complaint, read from whatever it sent."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import (
    BadAnswerError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
)
from exai_trio.providers.refusals.provider_errors import (
    LONGEST_MESSAGE,
    Complaint,
    complaint_in,
    fault,
    retry_after,
    seconds_in,
    verdict_by_status,
)

HTML = b"<html><head><title>504 Gateway Time-out</title></head></html>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error": {"code": "1302", "message": "slow"}}',
            Complaint(status=400, code="1302", message="slow"),
        ),
        (b'{"error": {"code": 1302, "message": null}}', Complaint(status=400, code="1302")),
        (b'{"error": {"type": "t", "message": "m"}}', Complaint(status=400, type="t", message="m")),
        (b'{"error": "just text"}', Complaint(status=400, message="just text")),
        (
            b'{"code": 500, "msg": "404 NOT_FOUND", "success": false}',
            Complaint(status=400, code="500", message="404 NOT_FOUND"),
        ),
        (b'{"error": null}', Complaint(status=400)),
        (b"[1, 2]", Complaint(status=400, message="[1, 2]")),
        (b"plain words\n  of a proxy", Complaint(status=400, message="plain words of a proxy")),
        (
            HTML,
            Complaint(
                status=400, message="the answer was an HTML page: 504 Gateway Time-out", html=True
            ),
        ),
        (
            b"<html><body></body></html>",
            Complaint(status=400, message="the answer was an HTML page", html=True),
        ),
        (b"", Complaint(status=400)),
    ],
)
def test_bodies_of_every_kind(body, expected):
    """JSON in several shapes, text, HTML, nothing."""
    assert complaint_in(400, body) == expected


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_body_makes_an_error(status, body):
    """Whatever comes back, the user gets one of our errors with words in it."""
    complaint = complaint_in(status, body)

    error = fault("X", complaint, verdict_by_status(complaint))

    assert isinstance(error, ProviderError)
    assert error.message.startswith("X: ")
    assert len(error.message) < LONGEST_MESSAGE + 200


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ProviderRefusedError), (401, ProviderAuthError), (403, ProviderRefusedError), (404, ProviderRefusedError),
        (302, ProviderRefusedError), (418, ProviderRefusedError), (429, ProviderBusyError), (434, ProviderRefusedError),
        (435, ProviderRefusedError), (500, ProviderBusyError), (502, ProviderBusyError), (504, ProviderBusyError),
        (200, BadAnswerError),
    ],
)  # fmt: skip
def test_a_status_alone(status, kind):
    """What no table knows is judged by its status."""
    assert verdict_by_status(Complaint(status=status)).error is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 10:00:30 GMT",
                "date": "Fri, 20 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 09:00:00 GMT",
                "date": "Fri, 20 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon", "date": "now"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after(headers, seconds):
    """Seconds, milliseconds or a date measured by the service's own clock; nonsense is no wish."""
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("please try again after 3 seconds", 3.0),
        ("Please try again after 1.5s", 1.5),
        ("after a while", None),
        ("", None),
    ],
)
def test_seconds_in_words(message, seconds):
    """Kimi says it in a sentence."""
    assert seconds_in(message) == seconds


def test_headers_go_before_words():
    """A Retry-After beats the sentence."""
    complaint = Complaint(status=429, message="try again after 3 seconds")

    assert fault("X", complaint, verdict_by_status(complaint), 8.0).retry_after_s == 8.0
