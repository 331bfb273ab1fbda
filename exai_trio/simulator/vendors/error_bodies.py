"""The error bodies of both services, as tables with a row per kind of failure. Pure: no trio, no clock, no I/O.

A row is named: by its code for GLM ("1302"), by a word for Kimi, where one type has several texts ("rpm", "tpd").
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exai_trio import structs


@structs.frozen(kw_only=True)
class Refusal:
    """An HTTP answer that is not what the client asked for."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A check of the request failed; the refusal is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal.body)
        self.refusal = refusal


@structs.frozen
class Row:
    """One kind of failure. `kind` is GLM's code or Kimi's type; the message may hold `{again}` (seconds) and `{what}`."""

    status: int
    kind: str
    message: str


_RESET = "2026-12-01 00:00:00"

GLM_ROWS: Mapping[str, Row] = MappingProxyType(
    {
        row.kind: row
        for row in (
            Row(401, "1000", "Authentication Failed"),
            Row(
                401,
                "1001",
                "Authentication parameter not received in Header, unable to authenticate",
            ),
            Row(
                401, "1002", "Invalid Authentication Token, please confirm the correct transmission"
            ),
            Row(401, "1003", "Authentication Token expired, please regenerate or obtain a new one"),
            Row(401, "1004", "Authentication with the provided Authentication Token failed"),
            Row(
                429,
                "1110",
                "Your account is currently inactive. Please check your account information",
            ),
            Row(429, "1111", "Your account does not exist"),
            Row(429, "1112", "Your account has been locked, please contact customer service"),
            Row(429, "1113", "Insufficient balance or no resource package. Please recharge."),
            Row(429, "1120", "Unable to successfully access your account, please try again later"),
            Row(429, "1121", "Your account has violated the rules and has been locked"),
            Row(400, "1210", "Incorrect API call parameters, please check the documentation"),
            Row(400, "1211", "The model does not exist, please check the model code"),
            Row(400, "1212", "The current model does not support `{what}` call method"),
            Row(400, "1213", "`{what}` parameter was not received properly"),
            Row(400, "1214", "Invalid `{what}` parameter. Please check the documentation"),
            Row(
                400, "1215", "`{what}` cannot be set simultaneously. Please check the documentation"
            ),
            Row(403, "1220", "You do not have permission to access `{what}`"),
            Row(404, "1221", "API `{what}` has been taken offline"),
            Row(404, "1222", "API `{what}` does not exist"),
            Row(500, "1230", "API call process error"),
            Row(400, "1231", "You already have a request: {what}"),
            Row(500, "1234", "Network error, error id: {what}, please contact customer service"),
            Row(400, "1261", "Prompt exceeds max length"),
            Row(400, "1300", "API call blocked by policy"),
            Row(
                400,
                "1301",
                "System detected potentially unsafe or sensitive content in input or generation.",
            ),
            Row(429, "1302", "Rate limit reached for requests"),
            Row(429, "1303", "High frequency usage of this API, please reduce frequency"),
            Row(429, "1304", "Daily call limit for this API has been reached"),
            Row(429, "1305", "The service may be temporarily overloaded, please try again later"),
            Row(429, "1308", f"Usage limit reached for 5 hour. Your limit will reset at {_RESET}"),
            Row(429, "1309", "Your GLM Coding Plan package has expired"),
            Row(429, "1310", f"Weekly/Monthly Limit Exhausted. Your limit will reset at {_RESET}"),
            Row(
                429, "1311", "Your current subscription plan does not yet include access to {what}"
            ),
            Row(
                429,
                "1312",
                "This model is currently experiencing high traffic, please try again later",
            ),
            Row(
                429,
                "1313",
                "Your account's usage pattern does not comply with the Fair Usage Policy",
            ),
            *(
                Row(429, str(code), f"Plan limit reached. Your limit will reset at {_RESET}")
                for code in range(1316, 1322)
            ),
            Row(434, "434", "No permission to use the file API"),
            Row(435, "435", "File size exceeds 100MB"),
            Row(500, "500", "Internal server error"),
        )
    }
)

_ACCOUNT = "Your account org-simulated0<ak-simulated0>"
_AGAIN = "please try again after {again} seconds"

KIMI_ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "content_filter": Row(
            400, "content_filter", "The request was rejected because it was considered high risk"
        ),
        "invalid": Row(400, "invalid_request_error", "Invalid request: {what}"),
        "too_long": Row(400, "invalid_request_error", "Input token length too long"),
        "token_limit": Row(
            400,
            "invalid_request_error",
            "Invalid request: Your request exceeded model token limit : {what}",
        ),
        "purpose": Row(
            400,
            "invalid_request_error",
            "Invalid purpose: only 'file-extract', 'image', 'video' or 'batch' accepted",
        ),
        "file_size": Row(
            400,
            "invalid_request_error",
            "File size is too large, max file size is 100MB, please confirm and re-upload the file",
        ),
        "file_empty": Row(
            400,
            "invalid_request_error",
            "File size is zero, please confirm and re-upload the file",
        ),
        "file_count": Row(
            400,
            "invalid_request_error",
            "The number of files you have uploaded exceeded the max file count 1000,"
            " please delete previous uploaded files",
        ),
        "auth": Row(401, "invalid_authentication_error", "Invalid Authentication"),
        "key": Row(401, "incorrect_api_key_error", "Incorrect API key provided"),
        "not_open": Row(403, "permission_denied_error", "The API you are accessing is not open"),
        "other_user": Row(
            403, "permission_denied_error", "You are not allowed to get other user info"
        ),
        "ip": Row(403, "permission_denied_error", "Your IP is not allowed to access this API"),
        "not_found": Row(
            404, "resource_not_found_error", "Not found the model {what} or Permission denied"
        ),
        "overloaded": Row(
            429,
            "engine_overloaded_error",
            "The engine is currently overloaded, please try again later",
        ),
        "suspended": Row(
            429,
            "exceeded_current_quota_error",
            f"{_ACCOUNT} is suspended, please check your plan and billing details",
        ),
        "quota": Row(
            429,
            "exceeded_current_quota_error",
            "You exceeded your current token quota: {what}, please check your account balance",
        ),
        "balance": Row(
            429,
            "exceeded_current_quota_error",
            f"{_ACCOUNT} is not active due to insufficient balance, please recharge your account",
        ),
        "concurrency": Row(
            429,
            "rate_limit_reached_error",
            f"{_ACCOUNT} request reached organization max concurrency: 3, {_AGAIN}",
        ),
        "rpm": Row(
            429,
            "rate_limit_reached_error",
            f"{_ACCOUNT} request reached organization max RPM: 20, {_AGAIN}",
        ),
        "tpm": Row(
            429,
            "rate_limit_reached_error",
            f"{_ACCOUNT} request reached organization TPM rate limit, current:500123, limit:500000",
        ),
        "tpd": Row(
            429,
            "rate_limit_reached_error",
            f"{_ACCOUNT} request reached organization TPD rate limit, current:1500321, limit:1500000",
        ),
        "server": Row(500, "server_error", "Internal server error"),
        "extract": Row(500, "server_error", "Failed to extract file: simulated"),
        "transition": Row(500, "unexpected_output", "invalid state transition"),
        "unavailable": Row(503, "server_unavailable", "The server is currently unavailable"),
    }
)


def glm_refusal(
    code: str, message: str = "", *, what: str = "simulated", status: int = 0
) -> Refusal:
    """GLM's body; the code is a string. A code without a row is passed on as it is."""
    row = GLM_ROWS.get(code) or Row(status or 400, code, "Unknown error")
    text = message or row.message.format(what=what)
    return Refusal(status=status or row.status, body={"error": {"code": code, "message": text}})


def kimi_refusal(
    name: str, message: str = "", *, what: str = "simulated", again: int = 1, status: int = 0
) -> Refusal:
    """Kimi's body; there is no code. `name` is a row, or else passed on as the type."""
    row = KIMI_ROWS.get(name) or Row(status or 400, name, "Unknown error")
    text = message or row.message.format(what=what, again=again)
    error = {"message": text, "type": row.kind}
    return Refusal(status=status or row.status, body={"error": error})


def kimi_row_of_type(kind: str) -> str:
    """The first row that has this type, or the type itself."""
    return next((name for name, row in KIMI_ROWS.items() if row.kind == kind), kind)
