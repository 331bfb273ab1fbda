"""Every setting that exists. Pure; defaults stand in `Config`."""

from exai_trio.settings.groups.bus_settings import BUS
from exai_trio.settings.groups.network_settings import LIMITS, SHIM, WEBSOCKET
from exai_trio.settings.groups.terminal_settings import TERMINALS
from exai_trio.settings.groups.watching_settings import WATCHING
from exai_trio.settings.groups.work_settings import (
    GENERAL,
    MODELS,
    POSTGRES,
    STORAGE,
    SUPABASE,
    TOOLS,
)

GROUPS = (
    GENERAL,
    MODELS,
    TOOLS,
    STORAGE,
    SUPABASE,
    POSTGRES,
    BUS,
    WEBSOCKET,
    LIMITS,
    SHIM,
    TERMINALS,
    WATCHING,
)
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
        *("supabase_url", "supabase_key", "supabase_project_id", "supabase_db_url", "database_url"),
        *("jwt_secret_key", "jwt_algorithm", "jwt_issuer", "jwt_audience", "jwt_keys_file"),
        "max_connections",
    }
)
