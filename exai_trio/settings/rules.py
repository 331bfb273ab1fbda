"""Settings that contradict each other, as a list of small rules, and what is allowed but will surprise. Pure."""

from collections.abc import Callable, Container, Iterator, Mapping

import attrs

from exai_trio.config import Config, is_loopback
from exai_trio.settings import supabase_keys, tokens
from exai_trio.settings.table import SETTINGS

SECRET_BYTES = 32  # the least for HMAC with SHA-256; PyJWT would take ten

Finding = tuple[str, str]  # the field at fault, and what is allowed
Rule = Callable[[Config], Iterator[Finding]]
Sources = tuple[tuple[str, Mapping[str, str]], ...]  # texts by variable, the nearest first


# A setting, the one that it may not exceed, and how that is called.
BOUNDED: tuple[tuple[str, str, str], ...] = (
    ("reconnect_min_s", "reconnect_max_s", "EXAI_RECONNECT_MAX_S"),
    ("ws_session_max_inflight", "ws_global_max_inflight", "EXAI_WS_GLOBAL_MAX_INFLIGHT"),
    ("max_connections_per_ip", "max_connections", "MAX_CONNECTIONS"),
    ("tool_call_max_size", "ws_max_bytes", "EXAI_WS_MAX_BYTES"),
    ("term_max_per_principal", "term_max", "EXAI_TERM_MAX"),
    ("glm_timeout_secs", "glm_stream_timeout", "GLM_STREAM_TIMEOUT"),
    ("kimi_timeout_secs", "kimi_stream_timeout", "KIMI_STREAM_TIMEOUT"),
)


_PORTS = {
    "monitoring_port": "MONITORING_PORT",
    "health_check_port": "HEALTH_CHECK_PORT",
    "incidents_port": "INCIDENTS_PORT",
    "mcp_port": "EXAI_MCP_PORT",
}


def _bounds(config: Config) -> Iterator[Finding]:
    for field, bound, name in BOUNDED:
        most = float(getattr(config, bound))
        if getattr(config, field) > most:
            shown = int(most) if most.is_integer() else most
            yield field, f"at most {name} ({shown})"


def _ports(config: Config) -> Iterator[Finding]:
    taken = {config.ws_port: "EXAI_WS_PORT"}
    for field, name in _PORTS.items():
        port = getattr(config, field)
        if port and port in taken:
            yield field, f"a port other than {taken[port]}'s, or 0"
        taken[port] = name


def _strangers(config: Config) -> Iterator[Finding]:
    if config.loopback_only:
        return
    if not (config.own_token or config.ws_token_file or config.takes_jwt):
        yield (
            "ws_host",
            "a loopback address, unless EXAI_WS_TOKEN, JWT_SECRET_KEY or JWT_KEYS_FILE is set",
        )
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
        if getattr(config, field) and not config.takes_jwt:
            yield field, "nothing, unless JWT_SECRET_KEY or JWT_KEYS_FILE is set"


def _oauth(config: Config) -> Iterator[Finding]:
    if config.oauth_issuer and not config.public_url:
        yield "public_url", "the URL that access tokens are for, since EXAI_OAUTH_ISSUER is set"
    if config.oauth_scope and not config.oauth_issuer:
        yield "oauth_scope", "nothing, unless EXAI_OAUTH_ISSUER is set"


def _tools(config: Config) -> Iterator[Finding]:
    both = sorted(config.enabled_tools & config.disabled_tools)
    if both:
        yield "enabled_tools", f"no name that DISABLED_TOOLS has too ({', '.join(both)})"


def _terminals(config: Config) -> Iterator[Finding]:
    if config.terminals != "false" and config.admits_anyone:
        yield "terminals", "false while EXAI_WS_TOKEN is none: a terminal runs any command"


def _supabase(config: Config) -> Iterator[Finding]:
    if not config.is_hosted:
        return
    url, key = config.supabase_url, config.supabase_key
    if not url:
        yield "supabase_url", "the project's URL, since STORAGE_BACKEND is supabase"
    elif url.startswith("http:") and not is_loopback(supabase_keys.host_of(url)):
        yield "supabase_url", "an https URL, unless it is of this machine: the key is sent there"
    if not key:
        yield "supabase_key", "a secret key of the project, since STORAGE_BACKEND is supabase"
    elif kind := supabase_keys.public_kind(key):
        yield (
            "supabase_key",
            f"a secret key (sb_secret_… or the service role's); this one is {kind}, which browsers may have",
        )
    if url and not supabase_keys.is_project(config.supabase_project_id, url):
        yield "supabase_project_id", "the id that SUPABASE_URL names, or nothing"


def _postgres(config: Config) -> Iterator[Finding]:
    if config.is_shared and not config.database_url:
        yield "database_url", "the URL of the database, since STORAGE_BACKEND is postgres"


RULES: tuple[Rule, ...] = (
    _bounds,
    _ports,
    _strangers,
    _tokens,
    _jwt,
    _oauth,
    _tools,
    _terminals,
    _supabase,
    _postgres,
)


def with_defaults_within(config: Config, given: Container[str]) -> Config:
    """The config, in which no default exceeds what was set: who lowers a bound need not lower what it bounds as well."""
    lowered = {
        field: getattr(config, bound)
        for field, bound, _ in BOUNDED
        if field not in given and getattr(config, field) > getattr(config, bound)
    }
    return attrs.evolve(config, **lowered) if lowered else config


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


def unknown(*texts: Mapping[str, str]) -> Iterator[str]:
    """Warnings about variables that have no effect."""
    names = sorted({name for source in texts for name in source if source[name].strip()})
    known = [setting.name for setting in SETTINGS]
    for name in names:
        if name.startswith("EXAI_") and name not in known:
            yield f"{name} is no setting of EXAI{_meant(name, known)}"


def _meant(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # needed only when something is misspelt

    from exai_trio.settings.older_names import meant_instead  # likewise

    if now := meant_instead(name):
        return f" any more; now: {now}"
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def rivals(sources: Sources) -> Iterator[str]:
    """Warnings about two names of one setting that say different things in one place."""
    for setting in SETTINGS:
        for _, texts in sources if setting.aliases else ():
            names = [name for name in (setting.name, *setting.aliases) if texts.get(name)]
            if len({texts[name] for name in names}) > 1:
                yield f"{' and '.join(names)} differ; {names[0]} is used"
