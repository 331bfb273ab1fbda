"""The settings of one process as a frozen value. Pure: reading and checking them is `exai_trio.settings`.

A field is named like its variable, in lower case, without a leading `exai_`. Durations are seconds, sizes are bytes,
an empty string or None means "not set". `Config()` holds the defaults, except that `home` is then a directory below
the working directory: the platform's own place is known only where the environment is read.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import attrs

from exai_trio import structs

Environment = Literal["development", "production", "testing"]
JwtAlgorithm = Literal["HS256", "HS384", "HS512"]
ToolProfile = Literal["lean", "standard", "full"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
StorageBackend = Literal["sqlite", "supabase", "postgres"]
Durability = Literal["process", "power", "off"]
Terminals = Literal["false", "true", "root"]
LogFormat = Literal["auto", "text", "json"]

MIB = 1024 * 1024
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound
NO_TOKEN = "none"  # noqa: S105  # as EXAI_WS_TOKEN: none is wanted
LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


def _masked(value: object) -> str:
    return "<set>" if value else "<empty>"


@structs.frozen(kw_only=True, hash=False)
class Config:
    """What was set, or the default. Values that came through `settings.load` are in range and do not contradict."""

    environment: Environment = "production"
    home: Path = Path(".exai")

    ws_host: str = "127.0.0.1"
    ws_port: int = 8079
    ws_token: str = attrs.field(default="", repr=_masked)
    ws_token_file: Path | None = None
    jwt_secret_key: str = attrs.field(default="", repr=_masked)
    jwt_algorithm: JwtAlgorithm = "HS256"
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_keys_file: Path | None = None
    tokens_day: int = 0
    redis_url: str = attrs.field(default="", repr=_masked)
    deployment: str = "exai"
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    ws_max_bytes: int = 32 * MIB
    tool_call_max_size: int = 10 * MIB
    ws_ping_interval: float = 30.0
    ws_ping_timeout: float = 10.0
    ws_hello_timeout: float = 15.0
    ws_close_timeout: float = 1.0
    ws_ping_validation_timeout: float = 5.0

    ws_global_max_inflight: int = 24
    ws_session_max_inflight: int = 8
    ws_kimi_max_inflight: int = 6
    ws_glm_max_inflight: int = 4
    max_connections: int = 1000
    max_connections_per_ip: int = 10

    session_grace_s: float = 300.0
    drain_s: float = 8.0
    ws_autostart: bool = False
    simulate: bool = False
    reconnect_min_s: float = 0.25
    reconnect_max_s: float = 30.0
    client_timeout_s: float = 0.0
    simple_tool_timeout_secs: float = 60.0
    workflow_tool_timeout_secs: float = 300.0
    expert_analysis_timeout_secs: float = 180.0
    progress_interval_s: float = 2.5

    glm_api_key: str = attrs.field(default="", repr=_masked)
    glm_api_url: str = "https://api.z.ai/api/paas/v4"
    glm_timeout_secs: float = 30.0
    glm_stream_timeout: float = 300.0
    kimi_api_key: str = attrs.field(default="", repr=_masked)
    kimi_api_url: str = "https://api.moonshot.ai/v1"
    kimi_timeout_secs: float = 25.0
    kimi_stream_timeout: float = 600.0
    stream_idle_s: float = 60.0
    providers_file: Path | None = None
    default_model: str = "glm-4.5-flash"
    # Every other variable whose name ends in _KEY or _TOKEN: EXAI_PROVIDERS_FILE names the ones it wants.
    provider_keys: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=_masked)
    # Names of those that it must not have: somebody else may have named that file.
    withheld_keys: frozenset[str] = frozenset()

    allowed_roots: tuple[Path, ...] = ()
    secret_files: tuple[Path, ...] = ()
    tool_profile: ToolProfile = "standard"
    enabled_tools: frozenset[str] = frozenset()
    disabled_tools: frozenset[str] = frozenset()
    conversation_timeout_hours: float = 24.0
    max_conversation_turns: int = 20
    cleanup_grace_hours: float = 24.0
    files_max_gb: float = 10.0
    history_days: float = 30.0
    storage_backend: StorageBackend = "sqlite"
    supabase_url: str = ""
    supabase_key: str = attrs.field(default="", repr=_masked)
    supabase_project_id: str = ""
    supabase_db_url: str = attrs.field(default="", repr=_masked)
    daemon_name: str = ""
    database_url: str = attrs.field(default="", repr=_masked)
    durability: Durability = "process"
    call_max_attempts: int = 2
    handle_after_s: float = 0.0

    message_bus_enabled: bool = True
    message_bus_ttl_hours: float = 48.0
    message_bus_max_payload_mb: int = 100
    message_bus_compression: Literal["gzip", "none"] = "gzip"
    message_bus_checksum_enabled: bool = True
    fallback_to_websocket: bool = True
    terminals: Terminals = "false"
    term_command: str = ""
    term_claude_command: str = "claude"
    term_max: int = 16
    term_max_per_principal: int = 8
    term_hold_s: float = 10.0
    term_idle_h: float = 24.0

    circuit_breaker_enabled: bool = True
    circuit_breaker_threshold: int = 5
    circuit_breaker_timeout_secs: float = 60.0

    monitoring_port: int = 8080
    health_check_port: int = 8082
    mcp_port: int = 0
    public_url: str = ""
    oauth_issuer: str = ""
    oauth_scope: str = ""
    alerts_file: Path | None = None
    alert_webhook: str = attrs.field(default="", repr=_masked)
    incidents_port: int = 8081
    investigate: bool = False
    investigator_model: str = "kimi-k2.6"
    investigator_tokens_day: int = 200_000
    auditor_enabled: bool = False
    auditor_model: str = "glm-4.5-flash"
    auditor_tokens_day: int = 0

    log_level: LogLevel = "INFO"
    log_format: LogFormat = "auto"
    log_stderr: bool = False

    @property
    def wants_no_token(self) -> bool:
        return self.ws_token == NO_TOKEN

    @property
    def own_token(self) -> str:
        """The token that the user has set."""
        return "" if self.wants_no_token else self.ws_token

    @property
    def makes_token(self) -> bool:
        """Whether nothing is set, so that the daemon makes a token for its home, and admits its own user without one."""
        return not (self.ws_token or self.ws_token_file or self.takes_jwt)

    @property
    def admits_anyone(self) -> bool:
        return self.wants_no_token and not (self.ws_token_file or self.takes_jwt)

    @property
    def takes_jwt(self) -> bool:
        """Whether keys for JSON Web Tokens are set."""
        return bool(self.jwt_secret_key or self.jwt_keys_file)

    @property
    def keys_file(self) -> Path:
        """Where `exai token` keeps the keys that it signs with."""
        return self.jwt_keys_file or self.state / "jwt_keys.json"

    @property
    def token_file(self) -> Path:
        """Where the token of the home is."""
        return self.state / "ws_token"

    @property
    def is_hosted(self) -> bool:
        """Whether what is kept here is shared with other machines."""
        return self.storage_backend == "supabase"

    @property
    def is_shared(self) -> bool:
        """Whether calls and conversations are in a PostgreSQL that other daemons may use, too."""
        return self.storage_backend == "postgres"

    @property
    def loopback_only(self) -> bool:
        return is_loopback(self.ws_host)

    @property
    def client_host(self) -> str:
        """Where a client of this machine finds the daemon; "all addresses" is no address to connect to."""
        return _REACHABLE.get(self.ws_host, self.ws_host)

    @property
    def ws_url(self) -> str:
        return f"ws://{bracketed(self.client_host)}:{self.ws_port}/"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def objects(self) -> Path:
        """Contents of files that were given to providers."""
        return self.home / "files" / "objects"


def bracketed(host: str) -> str:
    """The host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


@lru_cache(256)  # of the address of each connection
def is_loopback(host: str) -> bool:
    """True for names and addresses that no other machine can reach."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    from ipaddress import ip_address  # 3 ms that most starts do not need

    try:
        return ip_address(host).is_loopback
    except ValueError:  # audit: empty-handler, because a name is no address
        return False
