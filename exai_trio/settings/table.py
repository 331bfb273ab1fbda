"""Every setting that exists: its variable, what it may be, and what it is for. Pure; defaults stand in `Config`."""

from exai_trio.settings import values as v
from exai_trio.settings.setting import Group, secret as _secret, setting as _setting
from exai_trio.settings.storage_settings import SUPABASE

_DAY = 86400

_GENERAL = Group(
    title="General",
    settings=(
        _setting(
            "ENVIRONMENT",
            v.choice("development", "production", "testing"),
            "presets for the breaker and the logs; what is set by itself goes before them",
        ),
        _setting("EXAI_HOME", v.path(), "everything that EXAI writes: state, logs, files"),
        _setting(
            "LOG_LEVEL", v.choice("DEBUG", "INFO", "WARNING", "ERROR"), "the least that is logged"
        ),
        _setting(
            "LOG_FORMAT",
            v.choice("auto", "text", "json"),
            "auto: text on a terminal, json otherwise",
        ),
    ),
)

_MODELS = Group(
    title="Models",
    settings=(
        _secret(
            "GLM_API_KEY",
            v.visible("a key"),
            "Z.ai's key",
            "ZHIPUAI_API_KEY",
            "ZAI_API_KEY",
            sent_to="GLM_API_URL",
        ),
        _setting("GLM_API_URL", v.url(), "where GLM is"),
        _setting("GLM_TIMEOUT_SECS", v.seconds(0.05, 3600), "connect to first byte"),
        _setting("GLM_STREAM_TIMEOUT", v.seconds(0.05, _DAY), "a whole stream"),
        _secret(
            "KIMI_API_KEY",
            v.visible("a key"),
            "Moonshot's key",
            "MOONSHOT_API_KEY",
            sent_to="KIMI_API_URL",
        ),
        _setting("KIMI_API_URL", v.url(), "where Kimi is", "MOONSHOT_API_URL"),
        _setting("KIMI_TIMEOUT_SECS", v.seconds(0.05, 3600), "connect to first byte"),
        _setting("KIMI_STREAM_TIMEOUT", v.seconds(0.05, _DAY), "a whole stream"),
        _setting(
            "EXAI_PROVIDERS_FILE", v.path(), "TOML with more OpenAI-compatible endpoints and models"
        ),
        _setting(
            "EXAI_STREAM_IDLE_S", v.seconds(0.05, 3600), "no byte for so long ends the request"
        ),
        _setting("DEFAULT_MODEL", v.visible("a model's name"), "auto lets the router choose"),
        _setting("EXAI_SIMULATE", v.switch(), "use the bundled simulator instead of GLM and Kimi"),
        _setting("CIRCUIT_BREAKER_ENABLED", v.switch(), "stop asking a model that keeps failing"),
        _setting("CIRCUIT_BREAKER_THRESHOLD", v.whole(1, 1000), "failures that open the breaker"),
        _setting("CIRCUIT_BREAKER_TIMEOUT_SECS", v.seconds(0.05, _DAY), "how long it stays open"),
    ),
)

_TOOLS = Group(
    title="Tools and conversations",
    settings=(
        _setting(
            "EXAI_ALLOWED_ROOTS",
            v.paths(),
            "directories that tools may read; default: the editor's project",
        ),
        _setting(
            "EXAI_SECRET_FILES",
            v.paths(),
            "files that look like secrets and may be sent all the same",
        ),
        _setting("TOOL_PROFILE", v.choice("lean", "standard", "full"), "which tools are listed"),
        _setting("ENABLED_TOOLS", v.tool_names(), "listed besides"),
        _setting("DISABLED_TOOLS", v.tool_names(), "neither listed nor callable"),
        _setting(
            "SIMPLE_TOOL_TIMEOUT_SECS",
            v.seconds(0.05, _DAY),
            "a call's deadline, unless the client's is earlier",
        ),
        _setting(
            "WORKFLOW_TOOL_TIMEOUT_SECS", v.seconds(0.05, _DAY), "the same for workflow tools"
        ),
        _setting(
            "EXPERT_ANALYSIS_TIMEOUT_SECS",
            v.seconds(0.05, _DAY),
            "a workflow's question to its expert model",
        ),
        _setting("EXAI_PROGRESS_INTERVAL_S", v.seconds(0.05, 60), "progress at least this often"),
        _setting(
            "CONVERSATION_TIMEOUT_HOURS",
            v.number(0.01, 8760, "hours"),
            "how long a conversation is kept",
        ),
        _setting("MAX_CONVERSATION_TURNS", v.whole(1, 1000), "exchanges in one conversation"),
        _setting(
            "STORAGE_BACKEND",
            v.choice("sqlite", "supabase"),
            "where conversations are kept; supabase: here first, then there",
        ),
        _setting(
            "EXAI_DURABILITY",
            v.choice("process", "power", "off"),
            "accepted calls survive kills; power: also power loss; off: neither, and `result` finds an outcome for the grace only",
        ),
        _setting("EXAI_CALL_MAX_ATTEMPTS", v.whole(1, 10), "runs of one call over daemon restarts"),
        _setting(
            "EXAI_HANDLE_AFTER_S",
            v.seconds(0, _DAY),
            "a call that runs longer is answered with a handle for `result`; 0: off",
        ),
    ),
)

_WEBSOCKET = Group(
    title="WebSocket",
    settings=(
        _setting(
            "EXAI_WS_HOST",
            v.host(),
            "any but loopback needs a token of your own or JWT",
        ),
        _setting("EXAI_WS_PORT", v.whole(0, 65535), "0: any free port"),
        _secret(
            "EXAI_WS_TOKEN",
            v.token(),
            "shared by daemon and clients; none: any user of this machine may come, on loopback only",
        ),
        _setting(
            "EXAI_WS_TOKEN_FILE",
            v.path(),
            "holds such a token; default: state/ws_token, which the daemon makes for its own user",
        ),
        _secret(
            "JWT_SECRET_KEY",
            v.line("a secret of at least 32 bytes"),
            "accept JSON Web Tokens signed with it",
        ),
        _setting("JWT_ALGORITHM", v.choice("HS256", "HS384", "HS512"), "how they are signed"),
        _setting("JWT_ISSUER", v.line(), "the issuer that they must name"),
        _setting("JWT_AUDIENCE", v.line(), "the audience that they must name"),
        _setting(
            "EXAI_ALLOWED_ORIGINS", v.origins(), "browser origins that may connect; default: none"
        ),
        _setting(
            "EXAI_ALLOWED_HOSTS",
            v.hosts(),
            "names and addresses, beyond our own, that clients may reach us by; default: none",
        ),
        _setting("EXAI_WS_MAX_BYTES", v.whole(65536, 2**30), "largest frame, bytes"),
        _setting("TOOL_CALL_MAX_SIZE", v.whole(1024, 2**30), "largest call, bytes"),
        _setting("EXAI_WS_PING_INTERVAL", v.seconds(0.05, 3600), "between heartbeats"),
        _setting("EXAI_WS_PING_TIMEOUT", v.seconds(0.05, 3600), "for the answer to a heartbeat"),
        _setting("EXAI_WS_HELLO_TIMEOUT", v.seconds(0.05, 600), "for a client's hello"),
        _setting("EXAI_WS_CLOSE_TIMEOUT", v.seconds(0.05, 60), "for closing politely"),
        _setting(
            "EXAI_WS_PING_VALIDATION_TIMEOUT",
            v.seconds(0.05, 60),
            "shim: ping test after the handshake",
        ),
    ),
)

_LIMITS = Group(
    title="Limits",
    settings=(
        _setting("EXAI_WS_GLOBAL_MAX_INFLIGHT", v.whole(1, 10000), "calls at once in the daemon"),
        _setting("EXAI_WS_SESSION_MAX_INFLIGHT", v.whole(1, 10000), "calls at once in a session"),
        _setting("EXAI_WS_KIMI_MAX_INFLIGHT", v.whole(1, 10000), "requests at once to Kimi"),
        _setting("EXAI_WS_GLM_MAX_INFLIGHT", v.whole(1, 10000), "requests at once to GLM"),
        _setting("MAX_CONNECTIONS", v.whole(1, 100_000), "connections in all"),
        _setting(
            "MAX_CONNECTIONS_PER_IP",
            v.whole(1, 100_000),
            "of one address (IPv6: one /64); loopback is not limited",
        ),
        _setting(
            "EXAI_SESSION_GRACE_S", v.seconds(0, _DAY), "how long a session waits for its client"
        ),
        _setting("EXAI_DRAIN_S", v.seconds(0, 3600), "from SIGTERM to exit, at the latest"),
        _setting("MONITORING_PORT", v.whole(0, 65535), "HTTP pages; 0: off"),
        _setting("HEALTH_CHECK_PORT", v.whole(0, 65535), "HTTP health; 0: off"),
    ),
)

_SHIM = Group(
    title="Shim",
    settings=(
        _setting(
            "EXAI_WS_AUTOSTART", v.switch(), "start a daemon if none listens on a loopback address"
        ),
        _setting(
            "EXAI_RECONNECT_MIN_S",
            v.seconds(0.01, 3600),
            "first wait between attempts to connect; a tenth of it where nobody listens on this machine",
        ),
        _setting(
            "EXAI_RECONNECT_MAX_S",
            v.seconds(0.01, 3600),
            "longest wait between attempts to connect",
        ),
        _setting(
            "EXAI_CLIENT_TIMEOUT_S",
            v.seconds(0, _DAY),
            "how long the editor waits for a call, before which it gets a handle; 0: what is known of it by name",
        ),
    ),
)

GROUPS = (_GENERAL, _MODELS, _TOOLS, _WEBSOCKET, _LIMITS, _SHIM, SUPABASE)
SETTINGS = tuple(setting for group in GROUPS for setting in group.settings)

PRESETS: dict[str, dict[str, object]] = {
    "production": {},
    "development": {
        "log_level": "DEBUG",
        "log_format": "text",
        "circuit_breaker_threshold": 10,
        "circuit_breaker_timeout_secs": 15.0,
    },
    "testing": {
        "log_level": "DEBUG",
        "log_format": "json",
        "circuit_breaker_threshold": 3,
        "circuit_breaker_timeout_secs": 5.0,
    },
}

# Fields of variables that other programs use too: what is none of ours there is likely theirs, and stops nothing.
SHARED = frozenset(
    {
        *("environment", "log_level", "log_format", "default_model", "storage_backend"),
        *("supabase_url", "supabase_key", "supabase_project_id", "supabase_db_url"),
        *("jwt_secret_key", "jwt_algorithm", "jwt_issuer", "jwt_audience", "max_connections"),
    }
)

# Described for EXAI, but of features that this version does not have.
NOT_YET = frozenset(
    {
        "MESSAGE_BUS_ENABLED",
        "MESSAGE_BUS_TTL_HOURS",
        "MESSAGE_BUS_MAX_PAYLOAD_MB",
        "MESSAGE_BUS_COMPRESSION",
        "MESSAGE_BUS_CHECKSUM_ENABLED",
        "FALLBACK_TO_WEBSOCKET",
    }
)
