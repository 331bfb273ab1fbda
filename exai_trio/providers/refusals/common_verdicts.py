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

BAD_REQUEST: Final = Verdict(error=ProviderRefusedError, reason="bad_request")
FORBIDDEN: Final = Verdict(error=ProviderRefusedError, reason="permission")
UNKNOWN_MODEL: Final = Verdict(
    error=ProviderRefusedError,
    reason="unknown_model",
    advice="listmodels shows the models there are",
)
POLICY: Final = Verdict(
    error=ProviderRefusedError, reason="policy", advice="the provider will not answer this"
)
TOO_LONG: Final = Verdict(
    error=PromptTooLongError,
    reason="prompt_too_long",
    advice="shorten it or use a model with a larger context",
)
BALANCE: Final = Verdict(
    error=ProviderQuotaError, reason="balance", advice="recharge, or use another provider"
)
DAILY_QUOTA: Final = Verdict(
    error=ProviderQuotaError,
    reason="daily_quota",
    advice="try again tomorrow, or use another provider",
)
CONCURRENCY: Final = Verdict(error=ProviderBusyError, reason="concurrency")
RATE_LIMIT: Final = Verdict(error=ProviderBusyError, reason="rate_limit")
OVERLOADED: Final = Verdict(
    error=ProviderBusyError, reason="overloaded", advice="another model may be free"
)
UNAVAILABLE: Final = Verdict(error=ProviderBusyError, reason="unavailable")
NETWORK: Final = Verdict(error=ProviderNetworkError, reason="network_error")


def auth(vendor: str) -> Verdict:
    """A key that is refused; `vendor` as its settings begin."""
    return Verdict(
        error=ProviderAuthError,
        reason="auth",
        advice=f"check {vendor}_API_KEY, and that key and {vendor}_API_URL belong together",
    )
