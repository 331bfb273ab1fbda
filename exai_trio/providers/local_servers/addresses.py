"""Where a model server of this machine may listen. Pure: variables in, addresses out."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from exai_trio import structs
from exai_trio.config import bracketed, is_loopback
from exai_trio.errors import ArgumentError
from exai_trio.settings.urls import without_password

# Ollama, LM Studio, llama-server, vLLM: the ports that they have unless told otherwise.
USUAL_PORTS: Final = (11434, 1234, 8080, 8000)
_OLLAMA_PORT: Final = 11434
_HERE: Final = "127.0.0.1"
_EVERYWHERE: Final = {"0.0.0.0": _HERE, "": _HERE, "::": "::1"}  # noqa: S104  # compared, not bound
_LAST_PORT: Final = 65535


@structs.frozen
class Address:
    """A loopback host and port, and the path below which the OpenAI interface is."""

    host: str
    port: int
    path: str = "/v1"

    @property
    def base_url(self) -> str:
        return f"http://{bracketed(self.host)}:{self.port}{self.path}"


def usual(environ: Mapping[str, str]) -> tuple[Address, ...]:
    """The usual ports, and where OLLAMA_HOST says that Ollama is, if that is on this machine."""
    named = _ollama(environ.get("OLLAMA_HOST", ""))
    places = [Address(_HERE, port) for port in USUAL_PORTS]
    return tuple(dict.fromkeys([*([named] if named else []), *places]))


def offered_url(environ: Mapping[str, str]) -> str:
    """OPENAI_BASE_URL without password or query, "" if it is not set: it is for the user to say whether they mean it, and it is not
    asked."""
    return without_password(environ.get("OPENAI_BASE_URL", "").strip())


def address_of(base_url: str) -> Address | None:
    """Where a loopback http:// address points; None for any other."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        # audit: empty-handler, because None is the answer: no address of this machine
        return None
    if parts.scheme != "http" or not is_loopback(host):
        return None
    return Address(host, port, parts.path.rstrip("/"))


def base_url_of(text: str) -> str:
    """What somebody typed for a server's address, as a base URL: with a scheme, and with /v1 where no path is named.

    Raises ArgumentError.
    """
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        parts, named = urlsplit(""), False
    if not named or parts.scheme not in {"http", "https"} or parts.query or parts.username:
        raise ArgumentError(
            f"{without_password(text)!r} is no address of a server; one is http://127.0.0.1:8080/v1"
        )
    return url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"


def _ollama(text: str) -> Address | None:
    """OLLAMA_HOST as Ollama reads it: [scheme://][host][:port]. Where it listens on all addresses it is here too."""
    if not (text := text.strip().strip("\"'")):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host = _EVERYWHERE.get(parts.hostname or "", parts.hostname or "")
        port = parts.port or {"http": _OLLAMA_PORT if "://" not in text else 80}.get(
            parts.scheme, 0
        )
    except ValueError:  # audit: empty-handler, because None is the answer: no address
        return None
    return Address(host, port) if is_loopback(host) and 0 < port <= _LAST_PORT else None
