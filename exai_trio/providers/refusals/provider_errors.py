"""A service's complaint as one of our errors. Pure. Which complaint means what: `verdicts`, glm, kimi, plain."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from exai_trio.errors import BadAnswerError, ProviderError

from .complaints import LONGEST_MESSAGE, Complaint, complaint_in, complaint_of
from .verdicts import Verdict, verdict_by_status

__all__ = [
    "LONGEST_MESSAGE",
    "Complaint",
    "Verdict",
    "bad_answer",
    "complaint_in",
    "complaint_of",
    "fault",
    "retry_after",
    "seconds_in",
    "verdict_by_status",
]

_AFTER_SECONDS: Final = re.compile(r"after (\d{1,9}(?:\.\d{1,9})?) ?s", re.IGNORECASE)
_MAX_CONCURRENCY: Final = re.compile(r"max concurrency: ?(\d{1,6})")


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
        # audit: empty-handler, because None is the answer: no two dates
        return None
    return max(0.0, gap.total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:  # audit: empty-handler, because None is the answer: no number
        return None
    return number if 0 <= number < float("inf") else None


def _sentence(title: str, complaint: Complaint, verdict: Verdict) -> str:
    said = complaint.message or "no reason given"
    label = (
        complaint.code
        or complaint.type
        or (f"HTTP {complaint.status}" if complaint.status != HTTPStatus.OK else "")
    )
    head = f"{title}: {said} ({label})" if label else f"{title}: {said}"
    return f"{head}; {verdict.advice}" if verdict.advice else head
