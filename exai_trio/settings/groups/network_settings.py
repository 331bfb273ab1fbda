"""The settings of who is talked to and how: WebSocket, limits, HTTP, the shim."""

from typing import Final

from exai_trio.settings import values as v
from exai_trio.settings.setting import DAY_S, group, secret, setting

WEBSOCKET: Final = group(
    "WebSocket",
    setting(
        "EXAI_WS_HOST",
        v.host(),
        "any but loopback needs a token of your own or JWT",
    ),
    setting("EXAI_WS_PORT", v.whole(0, 65535), "0: any free port"),
    secret(
        "EXAI_WS_TOKEN",
        v.token(),
        "shared by daemon and clients; none: any user of this machine may come, on loopback only",
    ),
    setting(
        "EXAI_WS_TOKEN_FILE",
        v.path(),
        "holds such a token; default: state/ws_token, which the daemon makes for its own user",
    ),
    secret(
        "JWT_SECRET_KEY",
        v.line("a secret of at least 32 bytes"),
        "accept JSON Web Tokens signed with it",
    ),
    setting("JWT_ALGORITHM", v.choice("HS256", "HS384", "HS512"), "how they are signed"),
    setting("JWT_ISSUER", v.line(), "the issuer that they must name"),
    setting("JWT_AUDIENCE", v.line(), "the audience that they must name"),
    setting(
        "JWT_KEYS_FILE",
        v.path(),
        "JSON Web Keys (RFC 7517) that tokens are checked by; default: state/jwt_keys.json, once `exai token` has made it",
    ),
    setting("EXAI_ALLOWED_ORIGINS", v.origins(), "browser origins that may connect; default: none"),
    setting(
        "EXAI_ALLOWED_HOSTS",
        v.hosts(),
        "names and addresses, beyond our own, that clients may reach us by; default: none",
    ),
    setting(
        "EXAI_TRUSTED_PROXIES",
        v.networks(),
        "proxies whose PROXY header or X-Forwarded-For says who a client is; they and their clients always show a token; default: none",
    ),
    setting("EXAI_WS_MAX_BYTES", v.whole(65536, 2**30), "largest frame, bytes"),
    setting("TOOL_CALL_MAX_SIZE", v.whole(1024, 2**30), "largest call, bytes"),
    setting("EXAI_WS_PING_INTERVAL", v.seconds(0.05, 3600), "between heartbeats"),
    setting("EXAI_WS_PING_TIMEOUT", v.seconds(0.05, 3600), "for the answer to a heartbeat"),
    setting("EXAI_WS_HELLO_TIMEOUT", v.seconds(0.05, 600), "for a client's hello"),
    setting("EXAI_WS_CLOSE_TIMEOUT", v.seconds(0.05, 60), "for closing politely"),
    setting(
        "EXAI_WS_PING_VALIDATION_TIMEOUT",
        v.seconds(0.05, 60),
        "shim: ping test after the handshake",
    ),
)

LIMITS: Final = group(
    "Limits",
    setting("EXAI_WS_GLOBAL_MAX_INFLIGHT", v.whole(1, 10000), "calls at once in the daemon"),
    setting("EXAI_WS_SESSION_MAX_INFLIGHT", v.whole(1, 10000), "calls at once in a session"),
    setting("EXAI_WS_KIMI_MAX_INFLIGHT", v.whole(1, 10000), "requests at once to Kimi"),
    setting("EXAI_WS_GLM_MAX_INFLIGHT", v.whole(1, 10000), "requests at once to GLM"),
    setting("MAX_CONNECTIONS", v.whole(1, 100_000), "connections in all"),
    setting(
        "MAX_CONNECTIONS_PER_IP",
        v.whole(1, 100_000),
        "of one address (IPv6: one /64); loopback is not limited",
    ),
    setting("EXAI_SESSION_GRACE_S", v.seconds(0, DAY_S), "how long a session waits for its client"),
    setting("EXAI_DRAIN_S", v.seconds(0, 3600), "from SIGTERM to exit, at the latest"),
    secret(
        "REDIS_URL",
        v.redis_url(),
        "what daemons share of tokens and quotas; default: each home has its own",
    ),
    setting("EXAI_DEPLOYMENT", v.name(), "which daemons share it: begins every key in Redis"),
    setting(
        "EXAI_TOKENS_DAY",
        v.whole(0, 2**53),
        "input and output tokens that all calls of a day may use together; 0: no limit",
    ),
    setting("MONITORING_PORT", v.whole(0, 65535), "HTTP pages; 0: off"),
    setting("HEALTH_CHECK_PORT", v.whole(0, 65535), "HTTP health; 0: off"),
    setting("EXAI_MCP_PORT", v.whole(0, 65535), "MCP over HTTP, at /mcp; 0: off"),
    setting("EXAI_PUBLIC_URL", v.url(), "where clients find MCP over HTTP, without /mcp"),
    setting(
        "EXAI_OAUTH_ISSUER",
        v.url(),
        "the authorization server whose access tokens MCP over HTTP takes",
    ),
    setting("EXAI_OAUTH_SCOPE", v.line(), "the scope that such tokens must have"),
)

SHIM: Final = group(
    "Shim",
    setting(
        "EXAI_WS_AUTOSTART", v.switch(), "start a daemon if none listens on a loopback address"
    ),
    setting(
        "EXAI_RECONNECT_MIN_S",
        v.seconds(0.01, 3600),
        "first wait between attempts to connect; a tenth of it where nobody listens on this machine",
    ),
    setting(
        "EXAI_RECONNECT_MAX_S",
        v.seconds(0.01, 3600),
        "longest wait between attempts to connect",
    ),
    setting(
        "EXAI_CLIENT_TIMEOUT_S",
        v.seconds(0, DAY_S),
        "how long the editor waits for a call, before which it gets a handle; 0: what is known of it by name",
    ),
)
