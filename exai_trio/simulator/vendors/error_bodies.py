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
    """One kind of failure. `kind` is GLM's code or Kimi's type; the message may hold `{again}` (seconds), `{what}`, `{reset}` and `{account}`."""

    status: int
    kind: str
    message: str


_RESET = "2026-12-01 00:00:00"
_ACCOUNT = "Your account org-simulated0<ak-simulated0>"

# The status, the code, the text.
_GLM = """\
401 1000 Authentication Failed
401 1001 Authentication parameter not received in Header, unable to authenticate
401 1002 Invalid Authentication Token, please confirm the correct transmission
401 1003 Authentication Token expired, please regenerate or obtain a new one
401 1004 Authentication with the provided Authentication Token failed
429 1110 Your account is currently inactive. Please check your account information
429 1111 Your account does not exist
429 1112 Your account has been locked, please contact customer service
429 1113 Insufficient balance or no resource package. Please recharge.
429 1120 Unable to successfully access your account, please try again later
429 1121 Your account has violated the rules and has been locked
400 1210 Incorrect API call parameters, please check the documentation
400 1211 The model does not exist, please check the model code
400 1212 The current model does not support `{what}` call method
400 1213 `{what}` parameter was not received properly
400 1214 Invalid `{what}` parameter. Please check the documentation
400 1215 `{what}` cannot be set simultaneously. Please check the documentation
403 1220 You do not have permission to access `{what}`
404 1221 API `{what}` has been taken offline
404 1222 API `{what}` does not exist
500 1230 API call process error
400 1231 You already have a request: {what}
500 1234 Network error, error id: {what}, please contact customer service
400 1261 Prompt exceeds max length
400 1300 API call blocked by policy
400 1301 System detected potentially unsafe or sensitive content in input or generation.
429 1302 Rate limit reached for requests
429 1303 High frequency usage of this API, please reduce frequency
429 1304 Daily call limit for this API has been reached
429 1305 The service may be temporarily overloaded, please try again later
429 1308 Usage limit reached for 5 hour. Your limit will reset at {reset}
429 1309 Your GLM Coding Plan package has expired
429 1310 Weekly/Monthly Limit Exhausted. Your limit will reset at {reset}
429 1311 Your current subscription plan does not yet include access to {what}
429 1312 This model is currently experiencing high traffic, please try again later
429 1313 Your account's usage pattern does not comply with the Fair Usage Policy
429 1316 Plan limit reached. Your limit will reset at {reset}
429 1317 Plan limit reached. Your limit will reset at {reset}
429 1318 Plan limit reached. Your limit will reset at {reset}
429 1319 Plan limit reached. Your limit will reset at {reset}
429 1320 Plan limit reached. Your limit will reset at {reset}
429 1321 Plan limit reached. Your limit will reset at {reset}
434 434 No permission to use the file API
435 435 File size exceeds 100MB
500 500 Internal server error
"""

# The status, our own name for it, the type, the text.
_KIMI = """\
400 content_filter content_filter The request was rejected because it was considered high risk
400 invalid invalid_request_error Invalid request: {what}
400 too_long invalid_request_error Input token length too long
400 token_limit invalid_request_error Invalid request: Your request exceeded model token limit : {what}
400 purpose invalid_request_error Invalid purpose: only 'file-extract', 'image', 'video' or 'batch' accepted
400 file_size invalid_request_error File size is too large, max file size is 100MB, please confirm and re-upload the file
400 file_empty invalid_request_error File size is zero, please confirm and re-upload the file
400 file_count invalid_request_error The number of files you have uploaded exceeded the max file count 1000, please delete previous uploaded files
401 auth invalid_authentication_error Invalid Authentication
401 key incorrect_api_key_error Incorrect API key provided
403 not_open permission_denied_error The API you are accessing is not open
403 other_user permission_denied_error You are not allowed to get other user info
403 ip permission_denied_error Your IP is not allowed to access this API
404 not_found resource_not_found_error Not found the model {what} or Permission denied
429 overloaded engine_overloaded_error The engine is currently overloaded, please try again later
429 suspended exceeded_current_quota_error {account} is suspended, please check your plan and billing details
429 quota exceeded_current_quota_error You exceeded your current token quota: {what}, please check your account balance
429 balance exceeded_current_quota_error {account} is not active due to insufficient balance, please recharge your account
429 concurrency rate_limit_reached_error {account} request reached organization max concurrency: 3, please try again after {again} seconds
429 rpm rate_limit_reached_error {account} request reached organization max RPM: 20, please try again after {again} seconds
429 tpm rate_limit_reached_error {account} request reached organization TPM rate limit, current:500123, limit:500000
429 tpd rate_limit_reached_error {account} request reached organization TPD rate limit, current:1500321, limit:1500000
500 server server_error Internal server error
500 extract server_error Failed to extract file: simulated
500 transition unexpected_output invalid state transition
503 unavailable server_unavailable The server is currently unavailable
"""

GLM_ROWS: Mapping[str, Row] = MappingProxyType(
    {
        kind: Row(int(status), kind, message)
        for status, kind, message in (line.split(" ", 2) for line in _GLM.splitlines())
    }
)
KIMI_ROWS: Mapping[str, Row] = MappingProxyType(
    {
        name: Row(int(status), kind, message)
        for status, name, kind, message in (line.split(" ", 3) for line in _KIMI.splitlines())
    }
)


def glm_refusal(
    code: str, message: str = "", *, what: str = "simulated", status: int = 0
) -> Refusal:
    """GLM's body; the code is a string. A code without a row is passed on as it is."""
    row = GLM_ROWS.get(code) or Row(status or 400, code, "Unknown error")
    text = message or row.message.format(what=what, reset=_RESET)
    return Refusal(status=status or row.status, body={"error": {"code": code, "message": text}})


def kimi_refusal(
    name: str, message: str = "", *, what: str = "simulated", again: int = 1, status: int = 0
) -> Refusal:
    """Kimi's body; there is no code. `name` is a row, or else passed on as the type."""
    row = KIMI_ROWS.get(name) or Row(status or 400, name, "Unknown error")
    text = message or row.message.format(what=what, again=again, account=_ACCOUNT)
    error = {"message": text, "type": row.kind}
    return Refusal(status=status or row.status, body={"error": error})


def kimi_row_of_type(kind: str) -> str:
    """The first row that has this type, or the type itself."""
    return next((name for name, row in KIMI_ROWS.items() if row.kind == kind), kind)
