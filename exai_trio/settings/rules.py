"""Settings that contradict each other, as a list of small rules. Pure: each rule looks at a Config and says what is wrong."""

from collections.abc import Callable, Iterator

from exai_trio.config import Config
from exai_trio.settings import tokens

SECRET_BYTES = 32  # the least for HMAC with SHA-256; PyJWT would take ten

Finding = tuple[str, str]  # the field at fault, and what is allowed
Rule = Callable[[Config], Iterator[Finding]]


def _reconnect(config: Config) -> Iterator[Finding]:
    if config.reconnect_min_s > config.reconnect_max_s:
        yield "reconnect_min_s", f"at most EXAI_RECONNECT_MAX_S ({config.reconnect_max_s:g})"


def _inflight(config: Config) -> Iterator[Finding]:
    whole = config.ws_global_max_inflight
    if config.ws_session_max_inflight > whole:
        yield "ws_session_max_inflight", f"at most EXAI_WS_GLOBAL_MAX_INFLIGHT ({whole})"


def _connections(config: Config) -> Iterator[Finding]:
    if config.max_connections_per_ip > config.max_connections:
        yield "max_connections_per_ip", f"at most MAX_CONNECTIONS ({config.max_connections})"


def _sizes(config: Config) -> Iterator[Finding]:
    if config.tool_call_max_size > config.ws_max_bytes:
        yield "tool_call_max_size", f"at most EXAI_WS_MAX_BYTES ({config.ws_max_bytes})"


def _streams(config: Config) -> Iterator[Finding]:
    if config.glm_timeout_secs > config.glm_stream_timeout:
        yield "glm_timeout_secs", f"at most GLM_STREAM_TIMEOUT ({config.glm_stream_timeout:g})"
    if config.kimi_timeout_secs > config.kimi_stream_timeout:
        yield "kimi_timeout_secs", f"at most KIMI_STREAM_TIMEOUT ({config.kimi_stream_timeout:g})"


def _ports(config: Config) -> Iterator[Finding]:
    taken = {config.ws_port: "EXAI_WS_PORT"}
    for field in ("monitoring_port", "health_check_port"):
        port = getattr(config, field)
        if port and port in taken:
            yield field, f"a port other than {taken[port]}'s, or 0"
        taken[port] = field.upper()


def _strangers(config: Config) -> Iterator[Finding]:
    if config.loopback_only:
        return
    if not (config.own_token or config.ws_token_file or config.jwt_secret_key):
        yield "ws_host", "a loopback address, unless EXAI_WS_TOKEN or JWT_SECRET_KEY is set"
    if config.own_token and not tokens.is_good(config.own_token):
        yield "ws_token", f"{tokens.ALLOWED}; fewer are enough on a loopback address only"


def _tokens(config: Config) -> Iterator[Finding]:
    if config.ws_token and config.ws_token_file:
        yield "ws_token_file", "nothing while EXAI_WS_TOKEN is set"


def _jwt(config: Config) -> Iterator[Finding]:
    secret = config.jwt_secret_key
    if secret and len(secret.encode()) < SECRET_BYTES:
        yield "jwt_secret_key", f"at least {SECRET_BYTES} bytes"
    for field in ("jwt_issuer", "jwt_audience"):
        if getattr(config, field) and not secret:
            yield field, "nothing, unless JWT_SECRET_KEY is set"


def _tools(config: Config) -> Iterator[Finding]:
    both = sorted(config.enabled_tools & config.disabled_tools)
    if both:
        yield "enabled_tools", f"no name that DISABLED_TOOLS has too ({', '.join(both)})"


RULES: tuple[Rule, ...] = (
    _reconnect,
    _inflight,
    _connections,
    _sizes,
    _streams,
    _ports,
    _strangers,
    _tokens,
    _jwt,
    _tools,
)


def contradictions(config: Config) -> tuple[Finding, ...]:
    return tuple(finding for rule in RULES for finding in rule(config))


def oddities(config: Config) -> tuple[str, ...]:
    """What is allowed but will surprise: sentences for a warning."""
    found: list[str] = []
    if config.simulate and (config.glm_api_key or config.kimi_api_key):
        found.append("EXAI_SIMULATE is true: the keys of GLM and Kimi are not used")
    if config.ws_autostart and not config.loopback_only:
        found.append("EXAI_WS_AUTOSTART has no effect: EXAI_WS_HOST is no loopback address")
    if config.loopback_only and config.own_token and not tokens.is_good(config.own_token):
        found.append(
            f"EXAI_WS_TOKEN has fewer than {tokens.LEAST} characters: other users of this machine may guess it"
        )
    return tuple(found)
