"""The error tables of both services, row by row. No sockets."""

import pytest

from exai_trio.simulator.faults import Fault, fault_in
from exai_trio.simulator.server.received_request import asked_refusal, masked, unauthorised
from exai_trio.simulator.vendors.error_bodies import GLM_ROWS, KIMI_ROWS

GLM_PAIRS = {
    **dict.fromkeys(["1000", "1001", "1002", "1003", "1004"], 401),
    **dict.fromkeys(["1110", "1111", "1112", "1113", "1120", "1121"], 429),
    **dict.fromkeys(["1210", "1211", "1212", "1213", "1214", "1215", "1231", "1261"], 400),
    **dict.fromkeys(["1300", "1301"], 400),
    **dict.fromkeys(["1302", "1303", "1304", "1305", "1308", "1309", "1310", "1311"], 429),
    **dict.fromkeys(["1312", "1313", "1316", "1317", "1318", "1319", "1320", "1321"], 429),
    "1220": 403,
    "1221": 404,
    "1222": 404,
    "1230": 500,
    "1234": 500,
    "434": 434,
    "435": 435,
    "500": 500,
}
KIMI_TYPES = {
    "content_filter": 400,
    "invalid_request_error": 400,
    "invalid_authentication_error": 401,
    "incorrect_api_key_error": 401,
    "permission_denied_error": 403,
    "resource_not_found_error": 404,
    "engine_overloaded_error": 429,
    "exceeded_current_quota_error": 429,
    "rate_limit_reached_error": 429,
    "server_error": 500,
    "unexpected_output": 500,
    "server_unavailable": 503,
}


def test_glm_has_every_row():
    """Every code of the table, with its status."""
    assert {code: row.status for code, row in GLM_ROWS.items()} == GLM_PAIRS


def test_kimi_has_every_row():
    """Every type of the table, with its status."""
    assert {row.kind: row.status for row in KIMI_ROWS.values()} == KIMI_TYPES


@pytest.mark.parametrize("code", GLM_PAIRS)
def test_glm_row_can_be_asked_for(code):
    """A code alone gives its status and a body whose code is a string."""
    refusal = asked_refusal("glm", Fault(error=code))

    assert refusal.status == GLM_PAIRS[code]
    assert refusal.body["error"]["code"] == code
    assert refusal.body["error"]["message"]
    assert "{" not in refusal.body["error"]["message"]


@pytest.mark.parametrize("name", KIMI_ROWS)
def test_kimi_row_can_be_asked_for(name):
    """A row gives its status, type and text, and no code."""
    refusal = asked_refusal("kimi", Fault(error=name))

    row = KIMI_ROWS[name]
    assert (refusal.status, refusal.body["error"]["type"]) == (row.status, row.kind)
    assert refusal.body["error"].keys() == {"message", "type"}
    assert "{" not in refusal.body["error"]["message"]


@pytest.mark.parametrize(("kind", "status"), KIMI_TYPES.items())
def test_kimi_type_can_be_asked_for(kind, status):
    """A type gives the first row that has it."""
    refusal = asked_refusal("kimi", fault_in(f"[[simulate: type={kind}]]"))

    assert (refusal.status, refusal.body["error"]["type"]) == (status, kind)


@pytest.mark.parametrize(
    ("vendor", "status", "kind"),
    [
        ("glm", 400, "1210"),
        ("glm", 401, "1000"),
        ("glm", 429, "1302"),
        ("glm", 500, "500"),
        ("kimi", 401, "invalid_authentication_error"),
        ("kimi", 429, "rate_limit_reached_error"),
        ("kimi", 500, "server_error"),
        ("kimi", 503, "server_unavailable"),
    ],
)
def test_status_alone_has_an_error_that_fits(vendor, status, kind):
    """A bare status gets the row that usually comes with it."""
    refusal = asked_refusal(vendor, Fault(status=status))

    error = refusal.body["error"]
    assert (refusal.status, error.get("code") or error["type"]) == (status, kind)


def test_kimi_puts_the_wait_into_the_text():
    """The seconds stand in the message; Retry-After only where it is asked for."""
    refusal = asked_refusal("kimi", Fault(error="rpm", again=7))

    assert "please try again after 7 seconds" in refusal.body["error"]["message"]
    assert refusal.headers == ()


def test_retry_after_is_a_header():
    """Retry-After is sent as asked."""
    refusal = asked_refusal("glm", Fault(error="1302", retry_after=1.5))

    assert refusal.headers == (("retry-after", "1.5"),)


def test_error_in_200():
    """An error body can come with status 200."""
    refusal = asked_refusal("glm", Fault(error_in_200=True))

    assert (refusal.status, refusal.body["error"]["code"]) == (200, "1305")


@pytest.mark.parametrize(
    ("vendor", "header", "expected"),
    [
        ("glm", "", "1001"),
        ("glm", "Bearer ", "1002"),
        ("glm", "Basic abc", "1002"),
        ("glm", "Bearer wrong-key", "1000"),
        ("glm", "Bearer wrong-expired", "1003"),
        ("kimi", "", "invalid_authentication_error"),
        ("kimi", "Bearer wrong-key", "incorrect_api_key_error"),
    ],
)
def test_bad_keys(vendor, header, expected):
    """A missing key and a wrong one are refused with 401, in the service's words."""
    refusal = unauthorised(vendor, header)

    error = refusal.body["error"]
    assert (refusal.status, error.get("code") or error["type"]) == (401, expected)


@pytest.mark.parametrize("vendor", ["glm", "kimi"])
def test_any_other_key_is_good(vendor):
    """The simulator is not choosy."""
    assert unauthorised(vendor, "Bearer anything") is None


def test_key_is_masked():
    """A logged key cannot be read, but told from another."""
    assert "secret" not in masked("Bearer secret")
    assert masked("Bearer secret") == masked("Bearer secret") != masked("Bearer other")
