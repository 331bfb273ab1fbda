"""What an exchange without an answer means, in words for the user. Pure."""

from collections.abc import Mapping

from exai_trio.errors import ProviderError, ProviderNetworkError

from ..endpoint import Endpoint
from .provider_errors import complaint_in, fault, retry_after, verdict_by_status


def refusal(
    endpoint: Endpoint, status: int, body: bytes, headers: Mapping[str, str]
) -> ProviderError:
    """An answer with a status that is no success."""
    dialect = endpoint.dialect
    complaint = complaint_in(status, body)
    verdict = dialect.judge(complaint) or verdict_by_status(complaint)
    return fault(dialect.title, complaint, verdict, retry_after(headers))


def unreachable(endpoint: Endpoint, why: str) -> ProviderNetworkError:
    return ProviderNetworkError(
        f"{endpoint.dialect.title}: no connection to {endpoint.shown_url}: {why}",
        details={"reason": "connect"},
    )


def broken_off(endpoint: Endpoint, kind: str) -> ProviderNetworkError:
    """`kind` is the fault's name only: its text could quote a header, and with it the key."""
    return ProviderNetworkError(
        f"{endpoint.dialect.title}: the connection broke before the answer was complete ({kind})",
        details={"reason": "broken"},
    )


def unsendable(endpoint: Endpoint, kind: str) -> ProviderNetworkError:
    """Nothing was sent, and nothing would be the next time."""
    return ProviderNetworkError(
        f"{endpoint.dialect.title}: the request could not be made to {endpoint.shown_url} ({kind})",
        details={"reason": "unsendable", "max_attempts": 1},
    )
