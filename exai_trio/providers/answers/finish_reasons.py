"""Why an answer ended, in the words of several services: whether that is a fault, and what the user is told. Pure."""

from collections.abc import Mapping
from typing import Final, cast

from ..refusals import common_verdicts
from ..refusals.verdicts import Verdict
from .characters import whole

CUT_BY_LENGTH: Final = "the answer was cut off at the output limit"
CUT_BY_WINDOW: Final = "the answer was cut off where the model's context was full"
CUT_BY_FILTER: Final = "the provider's content filter cut the answer off ({})"

LENGTH: Final = frozenset({"length", "max_tokens", "max_output_tokens"})  # "length" to us
WINDOW: Final = frozenset({"model_context_window_exceeded"})
FILTERED: Final = frozenset(
    {"content_filter", "sensitive", "safety", "refusal", "prohibited_content", "blocklist"}
)
BROKEN: Final = frozenset({"network_error", "error"})
_NONE: Final = frozenset({"", "null", "none"})

FAULTS: Final[Mapping[str, Verdict]] = {
    **dict.fromkeys(FILTERED, common_verdicts.POLICY),
    **dict.fromkeys(WINDOW, common_verdicts.TOO_LONG),
    **dict.fromkeys(BROKEN, common_verdicts.NETWORK),
}


def reason_in(given: object) -> str:
    """The word for the end, however it is given, "length" for the output limit; "" for none."""
    if given is None:
        return ""
    if isinstance(given, dict):
        fields = cast("dict[str, object]", given)
        given = fields.get("type") or fields.get("reason") or "stop"
    if not given or (isinstance(given, str) and given.strip().lower() in _NONE):
        return ""
    word = whole(given.strip()) if isinstance(given, str) else "stop"
    return "length" if word.lower() in LENGTH else word


def fault_of(reason: str, *, spoke: bool) -> Verdict | None:
    """What the end means if it is a failure: one after which no text is of use, or any but success before there was text."""
    word = reason.lower()
    return FAULTS.get(word) if word in BROKEN or not spoke else None


def notice_of(reason: str) -> str | None:
    """For the user, about an answer that ended otherwise than a model ends it."""
    word = reason.lower()
    if word == "length":
        return CUT_BY_LENGTH
    if word in WINDOW:
        return CUT_BY_WINDOW
    return CUT_BY_FILTER.format(reason) if word in FILTERED else None
