"""The settings of what is done: which models and tools, within which times, and what is kept."""

from typing import Final

from exai_trio.settings import values as v
from exai_trio.settings.setting import DAY_S, group, secret, setting

GENERAL: Final = group(
    "General",
    setting(
        "ENVIRONMENT",
        v.choice("development", "production", "testing"),
        "presets for the breaker and the logs; what is set by itself goes before them",
    ),
    setting("EXAI_HOME", v.path(), "everything that EXAI writes: state, logs, files"),
    setting("LOG_LEVEL", v.choice("DEBUG", "INFO", "WARNING", "ERROR"), "the least that is logged"),
    setting(
        "LOG_FORMAT",
        v.choice("auto", "text", "json"),
        "auto: text on a terminal, json otherwise",
    ),
    setting(
        "EXAI_LOG_STDERR",
        v.switch(),
        "log to stderr too, which a container's log collects; on a terminal that is so anyway",
    ),
)

MODELS: Final = group(
    "Models",
    secret(
        "GLM_API_KEY",
        v.visible("a key"),
        "Z.ai's key",
        "ZHIPUAI_API_KEY",
        "ZAI_API_KEY",
        sent_to="GLM_API_URL",
    ),
    setting("GLM_API_URL", v.url(), "where GLM is"),
    setting("GLM_TIMEOUT_SECS", v.seconds(0.05, 3600), "connect to first byte"),
    setting("GLM_STREAM_TIMEOUT", v.seconds(0.05, DAY_S), "a whole stream"),
    secret(
        "KIMI_API_KEY",
        v.visible("a key"),
        "Moonshot's key",
        "MOONSHOT_API_KEY",
        sent_to="KIMI_API_URL",
    ),
    setting("KIMI_API_URL", v.url(), "where Kimi is", "MOONSHOT_API_URL"),
    setting("KIMI_TIMEOUT_SECS", v.seconds(0.05, 3600), "connect to first byte"),
    setting("KIMI_STREAM_TIMEOUT", v.seconds(0.05, DAY_S), "a whole stream"),
    setting(
        "EXAI_PROVIDERS_FILE", v.path(), "TOML with more OpenAI-compatible endpoints and models"
    ),
    setting("EXAI_STREAM_IDLE_S", v.seconds(0.05, 3600), "no byte for so long ends the request"),
    setting("DEFAULT_MODEL", v.visible("a model's name"), "auto lets the router choose"),
    setting("EXAI_SIMULATE", v.switch(), "use the bundled simulator instead of GLM and Kimi"),
    setting("CIRCUIT_BREAKER_ENABLED", v.switch(), "stop asking a model that keeps failing"),
    setting("CIRCUIT_BREAKER_THRESHOLD", v.whole(1, 1000), "failures that open the breaker"),
    setting("CIRCUIT_BREAKER_TIMEOUT_SECS", v.seconds(0.05, DAY_S), "how long it stays open"),
)

TOOLS: Final = group(
    "Tools and conversations",
    setting(
        "EXAI_ALLOWED_ROOTS",
        v.paths(),
        "directories that tools may read; default: the editor's project",
    ),
    setting(
        "EXAI_SECRET_FILES",
        v.paths(),
        "files that look like secrets and may be sent all the same",
    ),
    setting("TOOL_PROFILE", v.choice("lean", "standard", "full"), "which tools are listed"),
    setting("ENABLED_TOOLS", v.tool_names(), "listed besides"),
    setting("DISABLED_TOOLS", v.tool_names(), "neither listed nor callable"),
    setting(
        "SIMPLE_TOOL_TIMEOUT_SECS",
        v.seconds(0.05, DAY_S),
        "a call's deadline, unless the client's is earlier",
    ),
    setting("WORKFLOW_TOOL_TIMEOUT_SECS", v.seconds(0.05, DAY_S), "the same for workflow tools"),
    setting(
        "EXPERT_ANALYSIS_TIMEOUT_SECS",
        v.seconds(0.05, DAY_S),
        "a workflow's question to its expert model",
    ),
    setting("EXAI_PROGRESS_INTERVAL_S", v.seconds(0.05, 60), "progress at least this often"),
    setting(
        "CONVERSATION_TIMEOUT_HOURS",
        v.number(0.01, 8760, "hours"),
        "how long a conversation is kept",
    ),
    setting("MAX_CONVERSATION_TURNS", v.whole(1, 1000), "exchanges in one conversation"),
    setting("EXAI_CALL_MAX_ATTEMPTS", v.whole(1, 10), "runs of one call over daemon restarts"),
    setting(
        "EXAI_HANDLE_AFTER_S",
        v.seconds(0, DAY_S),
        "a call that runs longer is answered with a handle for `result`; 0: off",
    ),
)

STORAGE: Final = group(
    "Storage",
    setting(
        "EXAI_CLEANUP_GRACE_HOURS",
        v.number(0, 8760, "hours"),
        "what nobody refers to any more is deleted after so long without use",
    ),
    setting(
        "EXAI_FILES_MAX_GB",
        v.number(0.001, 100_000, "GB"),
        "contents of uploaded files that are kept; what nobody refers to goes first",
    ),
    setting(
        "EXAI_HISTORY_DAYS",
        v.number(1, 36_500, "days"),
        "how long the record of what was cleaned up is kept, and what has ended at Supabase",
    ),
    setting(
        "STORAGE_BACKEND",
        v.choice("sqlite", "supabase", "postgres"),
        "where conversations are kept; supabase: here first, then there; postgres: calls too, there alone",
    ),
    setting(
        "EXAI_DURABILITY",
        v.choice("process", "power", "off"),
        "accepted calls survive kills; power: also power loss; off: neither, and `result` finds an outcome for the grace only",
    ),
)

POSTGRES: Final = group(
    "PostgreSQL",
    secret(
        "DATABASE_URL",
        v.database_url(),
        "the database of STORAGE_BACKEND=postgres; several hosts may be named, with target_session_attrs=read-write",
    ),
    setting(
        "EXAI_DAEMON_NAME",
        v.visible("a name"),
        "this daemon among those of one database: each has its own; unset: the host's name",
    ),
)

SUPABASE: Final = group(
    "Supabase",
    setting("SUPABASE_URL", v.url(), "the project's URL, such as https://abcdefgh.supabase.co"),
    secret(
        "SUPABASE_KEY",
        v.visible("a key"),
        "a secret key of the project (sb_secret_…, or the service role's); none for browsers",
        sent_to="SUPABASE_URL",
    ),
    setting("SUPABASE_PROJECT_ID", v.visible("an id"), "the project's id, for links to its pages"),
    secret(
        "SUPABASE_DB_URL",
        v.database_url(),
        "the database itself, for `exai storage migrate` and `check` alone",
    ),
)
