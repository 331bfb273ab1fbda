"""A JSON document of another service fetched once, over https or from this machine; or one sent to it."""

from typing import Any, Final
from urllib.parse import urlsplit

from exai_trio.config import is_loopback

_MOST_BYTES: Final = 256 * 1024
_OK: Final = 200


async def fetch_json(url: str) -> dict[str, Any]:
    """A JSON object by HTTP. Raises OSError, ValueError or TypeError. Cancelling closes the connection."""
    import httpx2

    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("keys are fetched over https alone")
    try:
        async with httpx2.AsyncClient(follow_redirects=False, trust_env=True) as client:
            answer = await client.get(url)
    except httpx2.HTTPError as fault:
        raise OSError(str(fault)) from fault
    if answer.status_code != _OK or len(answer.content) > _MOST_BYTES:
        raise ValueError(f"status {answer.status_code}, {len(answer.content)} bytes")
    return dict(answer.json())


async def post_json(url: str, document: dict[str, Any]) -> int:
    """Send a JSON object by HTTP, and return the status; nothing of the answer is read, and no redirect is followed. Raises OSError or
    ValueError. Cancelling closes the connection."""
    import httpx2

    try:
        async with (
            httpx2.AsyncClient(follow_redirects=False, trust_env=True, timeout=None) as client,
            client.stream("POST", url, json=document) as answer,
        ):
            return answer.status_code
    except httpx2.HTTPError as fault:
        raise OSError(str(fault)) from fault
