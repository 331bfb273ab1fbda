"""Images for models that see: a path or a data URL becomes a data URL of the type that its bytes show.

Blocking: for threads only.
"""

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress

import trio

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import path_policy, safe_open
from exai_trio.workspace.sendable import Access

MAX_IMAGE_BYTES = 5 * 1024 * 1024  # GLM takes no larger ones; Kimi would

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def is_data_url(given: str) -> bool:
    return given[:5].lower() == "data:"


def load_all(given: Sequence[str], access: Access) -> tuple[str, ...]:
    """Raises: ArgumentError, NotFoundError."""
    urls: list[str] = []
    for name in given:
        trio.from_thread.check_cancelled()
        urls.append(_load(name, access))
    return tuple(urls)


def load_allowed(given: Sequence[str], access: Access) -> dict[str, str]:
    """By name, those that can be loaded."""
    urls: dict[str, str] = {}
    for name in given:
        trio.from_thread.check_cancelled()
        with suppress(ArgumentError, NotFoundError):
            # audit: suppress, because what cannot be loaded is missing in the answer
            urls[name] = _load(name, access)
    return urls


def _load(given: str, access: Access) -> str:
    if is_data_url(given):
        return _as_data_url(_decoded(given), "The data URL")
    resolved = access.resolve(given)
    access.check_name(given, resolved)
    content = safe_open.content(resolved, MAX_IMAGE_BYTES + 1)
    access.check_content(given, resolved, content)
    return _as_data_url(content, repr(path_policy.shown(given)))


def _decoded(url: str) -> bytes:
    head, comma, body = url.partition(",")
    # Measured before it is decoded: four characters are three bytes.
    if len(body) // 4 * 3 > MAX_IMAGE_BYTES + 2:
        raise _too_large("The data URL")
    try:
        if not comma or not head.endswith(";base64"):
            raise binascii.Error
        return base64.b64decode(body, validate=True)
    except ValueError as fault:  # binascii.Error is one, and so is what is not ASCII
        raise ArgumentError(
            "An image's data URL must look like data:image/png;base64,… with valid base64."
        ) from fault


def _as_data_url(content: bytes, name: str) -> str:
    if len(content) > MAX_IMAGE_BYTES:
        raise _too_large(name)
    kind = _kind(content)
    if kind is None:
        raise ArgumentError(f"{name} is no PNG, JPEG, GIF or WebP image.")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _kind(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)


def _too_large(name: str) -> ArgumentError:
    return ArgumentError(f"{name} is larger than {MAX_IMAGE_BYTES:,} bytes; send a smaller image.")
