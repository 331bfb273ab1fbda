"""What complaints mean that more than one service has. Pure."""

from typing import Final

from exai_trio.errors import (
    PromptTooLongError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderNetworkError,
    ProviderQuotaError,
    ProviderRefusedError,
)

from .verdicts import Verdict

BAD_REQUEST: Final = Verdict(ProviderRefusedError, "bad_request")
FORBIDDEN: Final = Verdict(ProviderRefusedError, "permission")
UNKNOWN_MODEL: Final = Verdict(
    ProviderRefusedError, "unknown_model", "listmodels shows the models there are"
)
POLICY: Final = Verdict(ProviderRefusedError, "policy", "the provider will not answer this")
TOO_LONG: Final = Verdict(
    PromptTooLongError, "prompt_too_long", "shorten it or use a model with a larger context"
)
BALANCE: Final = Verdict(ProviderQuotaError, "balance", "recharge, or use another provider")
DAILY_QUOTA: Final = Verdict(
    ProviderQuotaError, "daily_quota", "try again tomorrow, or use another provider"
)
CONCURRENCY: Final = Verdict(ProviderBusyError, "concurrency")
RATE_LIMIT: Final = Verdict(ProviderBusyError, "rate_limit")
OVERLOADED: Final = Verdict(ProviderBusyError, "overloaded", "another model may be free")
UNAVAILABLE: Final = Verdict(ProviderBusyError, "unavailable")
NETWORK: Final = Verdict(ProviderNetworkError, "network_error")


def auth(vendor: str) -> Verdict:
    """A key that is refused; `vendor` as its settings begin."""
    return Verdict(
        ProviderAuthError,
        "auth",
        f"check {vendor}_API_KEY, and that key and {vendor}_API_URL belong together",
    )
