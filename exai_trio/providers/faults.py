"""A service's complaint, read and turned into one of our errors. Pure. Which complaint means what: glm, kimi, plain."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from exai_trio import structs
from exai_trio.errors import (
    BadAnswerError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
)

LONGEST_MESSAGE: Final = 500  # characters of a service's own words that we repeat
_SECRET_IDS: Final = re.compile(r"<?\b(?:org|ak|sk)-[A-Za-z0-9_-]{4,}>?")
_AFTER_SECONDS: Final = re.compile(r"after (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_MAX_CONCURRENCY: Final = re.compile(r"max concurrency: ?(\d{1,6})")
_HTML: Final = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)


@structs.frozen(kw_only=True)
class Complaint:
    """What a service said was wrong. `status` is HTTP's, 200 if the complaint came inside an answer."""

    status: int
    code: str = ""
    type: str = ""
    message: str = ""
    html: bool = False


@structs.frozen(kw_only=True)
class Verdict:
    """What a complaint means. `reason` is a fixed word for programs; `advice` tells the user what to do.

    Reasons that others act on: "concurrency" and "rate_limit" (we ask too much; the service is well),
    "duplicate_request_id" (ask again under a new id).
    """

    error: type[ProviderError]
    reason: str
    advice: str = ""
    max_attempts: int | None = None


BY_STATUS: Final[Mapping[int, Verdict]] = {
    400: Verdict(error=ProviderRefusedError, reason="bad_request"),
    401: Verdict(error=ProviderAuthError, reason="auth", advice="check the key"),
    403: Verdict(error=ProviderRefusedError, reason="permission", advice="the key may not do this"),
    404: Verdict(
        error=ProviderRefusedError,
        reason="not_found",
        advice="check the model's name and the base URL",
    ),
    408: Verdict(error=ProviderBusyError, reason="unavailable"),
    413: Verdict(error=ProviderRefusedError, reason="too_large", advice="send less"),
    429: Verdict(error=ProviderBusyError, reason="rate_limit"),
    434: Verdict(
        error=ProviderRefusedError,
        reason="permission",
        advice="the account may not use the files API",
    ),
    435: Verdict(
        error=ProviderRefusedError, reason="too_large", advice="files may have 100 MB at most"
    ),
}
SERVER_FAULT: Final = Verdict(error=ProviderBusyError, reason="unavailable")
UNCLEAR: Final = Verdict(error=ProviderRefusedError, reason="bad_request")
UNCLEAR_INSIDE_200: Final = Verdict(error=BadAnswerError, reason="error_in_answer")
HTML_INSIDE_200: Final = Verdict(
    error=BadAnswerError,
    reason="html",
    advice="check the base URL, and whether a proxy is in the way",
)


def verdict_by_status(complaint: Complaint) -> Verdict:
    """What the status alone says, for complaints that no table knows."""
    if complaint.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SERVER_FAULT
    if complaint.status == HTTPStatus.OK:
        return HTML_INSIDE_200 if complaint.html else UNCLEAR_INSIDE_200
    return BY_STATUS.get(complaint.status, UNCLEAR)


def complaint_in(status: int, body: bytes) -> Complaint:
    """Whatever a body of that status tells: a JSON error of any shape, HTML, plain text or nothing."""
    if _HTML.match(body):
        return Complaint(status=status, message="the answer was an HTML page", html=True)
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Complaint(status=status, message=_readable(body.decode("utf-8", "replace")))
    return complaint_of(status, said)


def complaint_of(status: int, said: object) -> Complaint:
    """The same for JSON that is decoded: {"error": {...}}, {"error": "..."} or the bare object."""
    outer = _fields(said)
    error = said if outer is None else outer.get("error", said)
    told = _fields(error)
    if told is None:
        return Complaint(status=status, message=_readable(_word(error)))
    return Complaint(
        status=status,
        code=_word(told.get("code")),
        type=_word(told.get("type")),
        message=_readable(_word(told.get("message") or told.get("msg"))),
    )


def fault(
    title: str, complaint: Complaint, verdict: Verdict, retry_after_s: float | None = None
) -> ProviderError:
    """The error for a complaint; `retry_after_s` is what the headers said, and goes before what the words say."""
    facts = {
        "reason": verdict.reason,
        "status": complaint.status,
        "code": complaint.code or complaint.type,
    }
    details: dict[str, Any] = {key: value for key, value in facts.items() if value}
    if verdict.max_attempts is not None:
        details["max_attempts"] = verdict.max_attempts
    allowed = _MAX_CONCURRENCY.search(complaint.message)
    if allowed and verdict.reason == "concurrency":
        details["max_concurrency"] = int(allowed.group(1))
    if retry_after_s is None:
        retry_after_s = seconds_in(complaint.message)
    return verdict.error(
        _sentence(title, complaint, verdict), retry_after_s=retry_after_s, details=details
    )


def bad_answer(
    title: str, what: str, reason: str, *, max_attempts: int | None = None
) -> BadAnswerError:
    """An answer of status 200 that is none."""
    details: dict[str, Any] = {"reason": reason}
    if max_attempts is not None:
        details["max_attempts"] = max_attempts
    return BadAnswerError(f"{title}: {what}", details=details)


def redacted(text: str) -> str:
    """Without the organisation and key ids that Kimi writes into its messages."""
    return _SECRET_IDS.sub("…", text)


def seconds_in(message: str) -> float | None:
    """Kimi's way of saying when to come back: "please try again after 3 seconds"."""
    found = _AFTER_SECONDS.search(message)
    return float(found.group(1)) if found else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask us to wait. A date is measured from the answer's own Date: clocks differ."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after", "")
    seconds = _number(asked)
    return seconds if seconds is not None else _seconds_between(headers.get("date", ""), asked)


def _seconds_between(start: str, end: str) -> float | None:
    try:
        gap = parsedate_to_datetime(end) - parsedate_to_datetime(start)
    except (TypeError, ValueError):  # no date, or one with a time zone and one without
        return None
    return max(0.0, gap.total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _fields(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _word(value: object) -> str:
    return "" if value is None else str(value)


def _readable(text: str) -> str:
    shown = redacted(" ".join(text.split()))
    return shown if len(shown) <= LONGEST_MESSAGE else shown[:LONGEST_MESSAGE] + "…"


def _sentence(title: str, complaint: Complaint, verdict: Verdict) -> str:
    said = complaint.message or "no reason given"
    label = (
        complaint.code
        or complaint.type
        or (f"HTTP {complaint.status}" if complaint.status != HTTPStatus.OK else "")
    )
    head = f"{title}: {said} ({label})" if label else f"{title}: {said}"
    return f"{head}; {verdict.advice}" if verdict.advice else head
