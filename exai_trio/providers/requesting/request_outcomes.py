"""How an attempt at a provider ended, in a word. Pure."""

from typing import Final

from exai_trio.errors import (
    BadAnswerError,
    PromptTooLongError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderError,
    ProviderNetworkError,
    ProviderQuotaError,
    ProviderRefusedError,
    ProviderTimeoutError,
)

OK: Final = "ok"
CANCELLED: Final = "cancelled"
CUT: Final = "cut"  # by a limit of time, with something to read
FAULT: Final = "fault"  # of another kind, or ours
_KINDS: Final[dict[type[ProviderError], str]] = {
    ProviderAuthError: "auth",
    ProviderQuotaError: "quota",
    ProviderBusyError: "busy",
    ProviderTimeoutError: "timeout",
    ProviderRefusedError: "refused",
    PromptTooLongError: "too_long",
    BadAnswerError: "bad_answer",
    ProviderNetworkError: "network",
}
OUTCOMES: Final = frozenset({OK, CANCELLED, CUT, FAULT, *_KINDS.values()})


def outcome_of(fault: ProviderError) -> str:
    return _KINDS.get(type(fault), FAULT)
