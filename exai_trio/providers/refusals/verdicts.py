"""What a complaint of a service means, and what it means by its HTTP status alone. Pure."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from exai_trio import structs
from exai_trio.errors import (
    BadAnswerError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
)

from .complaints import Complaint


@structs.frozen
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
    400: Verdict(ProviderRefusedError, "bad_request"),
    401: Verdict(ProviderAuthError, "auth", "check the key"),
    403: Verdict(ProviderRefusedError, "permission", "the key may not do this"),
    404: Verdict(ProviderRefusedError, "not_found", "check the model's name and the base URL"),
    408: Verdict(ProviderBusyError, "unavailable"),
    413: Verdict(ProviderRefusedError, "too_large", "send less"),
    429: Verdict(ProviderBusyError, "rate_limit"),
    434: Verdict(ProviderRefusedError, "permission", "the account may not use the files API"),
    435: Verdict(ProviderRefusedError, "too_large", "files may have 100 MB at most"),
}
_FAULTY_STATUS: Final = re.compile("[45][0-9]{2}")
SERVER_FAULT: Final = Verdict(ProviderBusyError, "unavailable")
UNCLEAR: Final = Verdict(ProviderRefusedError, "bad_request")
UNCLEAR_INSIDE_200: Final = Verdict(BadAnswerError, "error_in_answer")
HTML_INSIDE_200: Final = Verdict(
    BadAnswerError, "html", "check the base URL, and whether a proxy is in the way"
)


def verdict_by_status(complaint: Complaint) -> Verdict:
    """What the status alone says, for complaints that no table knows; inside a 200 the complaint's code may be a status."""
    status = complaint.status
    if status == HTTPStatus.OK and complaint.html:
        return HTML_INSIDE_200
    if status == HTTPStatus.OK:
        status = _status_in(complaint.code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SERVER_FAULT
    if status == HTTPStatus.OK:
        return UNCLEAR_INSIDE_200
    return BY_STATUS.get(status, UNCLEAR)


def _status_in(code: str) -> int:
    return int(code) if _FAULTY_STATUS.fullmatch(code) else HTTPStatus.OK
