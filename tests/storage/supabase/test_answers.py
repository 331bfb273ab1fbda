"""What each answer of Supabase's means: which are waited out, which stop the sending, which set one entry apart. Pure."""

import json

import pytest

from exai_trio.storage.hosted.hosted_faults import (
    EntryRefused,
    HostedAway,
    KeyRefused,
    SchemaDiffers,
    TooLarge,
)
from exai_trio.storage.supabase.answers import fault_of

ROW = "(c, a secret that the row holds)"


def body(code):
    details = f'Failing row contains {ROW} "code": "23505".'
    return json.dumps({"code": code, "details": details, "hint": None, "message": ROW}).encode()


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (409, body("23505"), EntryRefused),
        (409, body("23503"), EntryRefused),
        (400, body("23514"), EntryRefused),
        (400, body("22P05"), EntryRefused),
        (400, body("PGRST204"), SchemaDiffers),
        (404, body("PGRST202"), SchemaDiffers),
        (404, body("PGRST205"), SchemaDiffers),
        (404, body("42P01"), SchemaDiffers),
        (404, body("42883"), SchemaDiffers),
        (401, body("PGRST301"), KeyRefused),
        (403, body("42501"), KeyRefused),
        (401, b'{"message":"Invalid API key"}', KeyRefused),
        (403, b"<html>", KeyRefused),
        (405, body("25006"), HostedAway),
        (500, body("57014"), HostedAway),
        (500, body("40P01"), HostedAway),
        (500, body("53300"), HostedAway),
        (503, body("PGRST001"), HostedAway),
        (504, body("PGRST003"), HostedAway),
        (502, b"<html>502 Bad Gateway</html>", HostedAway),
        (429, b'{"message":"Too many requests"}', HostedAway),
        (413, b"", TooLarge),
    ],
)
def test_each_answer_has_its_kind(status, said, kind):
    """By the code of the database or PostgREST, else by HTTP's status; and nothing of a row is told."""
    fault = fault_of(status, said)

    assert kind is type(fault)
    assert ROW not in f"{fault} {fault.details} {fault.reason}"


def test_a_success_is_no_fault():
    assert fault_of(200, body("23505")) is None


def test_a_wait_that_was_asked_for_is_kept():
    """Retry-After in seconds; a date is left to the back-off."""
    assert 7.0 == fault_of(429, b"", "7").retry_after_s
    assert fault_of(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after_s is None
