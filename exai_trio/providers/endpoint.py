"""Where a provider is and how long we wait for it: the values, and those that the settings give. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from exai_trio import structs
from exai_trio.config import Config, is_loopback
from exai_trio.settings.urls import without_password

from .dialects.dialect import Dialect
from .dialects.glm import glm_dialect
from .dialects.kimi import kimi_dialect

CONNECT_S: Final = 5.0
SIMULATED_KEY: Final = "simulated"
_BUILT_IN: Final = frozenset({"glm", "kimi"})
_SETTINGS: Final[Mapping[str, str]] = {"first_byte": "TIMEOUT_SECS", "stream": "STREAM_TIMEOUT"}


def _masked(value: object) -> str:
    return "<set>" if value else "<empty>"


@structs.frozen(kw_only=True)
class Limits:
    """Seconds: to connect, from the start to the first byte of an answer, between bytes, for all of it."""

    connect_s: float = CONNECT_S
    first_byte_s: float
    idle_s: float
    stream_s: float


@structs.frozen(kw_only=True)
class Endpoint:
    """One service under one key. `remedy` says what to set when it is not configured; `simulated`: nobody is behind it."""

    name: str
    base_url: str
    key: str = attrs.field(repr=_masked)
    dialect: Dialect
    limits: Limits
    max_inflight: int
    remedy: str
    needs_key: bool = True
    simulated: bool = False

    @property
    def configured(self) -> bool:
        return bool(self.key) or not self.needs_key

    def setting_of(self, limit: str) -> str:
        """Where the limit of that name is set; "" if nowhere."""
        if limit == "idle":
            return "EXAI_STREAM_IDLE_S"
        if limit not in _SETTINGS:
            return ""
        if self.name in _BUILT_IN:
            return f"{self.name.upper()}_{_SETTINGS[limit]}"
        return f"{limit}_s in EXAI_PROVIDERS_FILE"

    @property
    def account(self) -> str:
        """Tells this key of this service from any other, without giving the key away."""
        return hashlib.sha256(f"{self.base_url}\n{self.key}".encode()).hexdigest()[:16]

    @property
    def shown_url(self) -> str:
        """The address without a user, a password, or a query."""
        return without_password(self.base_url)

    @property
    def local(self) -> bool:
        """A model server of this machine: as slow as that is, and to be asked what it has."""
        return self.on_loopback and self.name not in _BUILT_IN

    @property
    def on_loopback(self) -> bool:
        """On this machine, so that no proxy is asked."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def built_in(config: Config, simulator_url: str | None) -> tuple[Endpoint, ...]:
    """GLM and Kimi as set, or both at the simulator."""
    urls: Mapping[str, str] = {"glm": config.glm_api_url, "kimi": config.kimi_api_url}
    keys: Mapping[str, str] = {"glm": config.glm_api_key, "kimi": config.kimi_api_key}
    if simulator_url is not None:
        origin = simulator_url.rstrip("/")
        urls = {"glm": f"{origin}/glm/api/paas/v4", "kimi": f"{origin}/kimi/v1"}
        keys = dict.fromkeys(urls, SIMULATED_KEY)
    simulated = simulator_url is not None
    return (
        Endpoint(
            name="glm",
            base_url=urls["glm"],
            key=keys["glm"],
            dialect=glm_dialect(urls["glm"]),
            limits=Limits(
                first_byte_s=config.glm_timeout_secs,
                idle_s=config.stream_idle_s,
                stream_s=config.glm_stream_timeout,
            ),
            max_inflight=config.ws_glm_max_inflight,
            remedy="set GLM_API_KEY (ZHIPUAI_API_KEY and ZAI_API_KEY are read too)",
            simulated=simulated,
        ),
        Endpoint(
            name="kimi",
            base_url=urls["kimi"],
            key=keys["kimi"],
            dialect=kimi_dialect(urls["kimi"]),
            limits=Limits(
                first_byte_s=config.kimi_timeout_secs,
                idle_s=config.stream_idle_s,
                stream_s=config.kimi_stream_timeout,
            ),
            max_inflight=config.ws_kimi_max_inflight,
            remedy="set KIMI_API_KEY (MOONSHOT_API_KEY is read too)",
            simulated=simulated,
        ),
    )
