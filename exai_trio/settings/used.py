"""Which settings each command uses: what is wrong with any other is not its business. Pure.

`serve` uses all. `cli` looks here only when something is wrong.
"""

from collections.abc import Mapping
from typing import Final

from exai_trio.settings.load import Fault, Loaded


def _fields(text: str) -> frozenset[str]:
    return frozenset(text.split())


# To find the daemon and be let in.
CLIENT: Final = _fields(
    "home environment log_level ws_host ws_port ws_token ws_token_file jwt_secret_key jwt_algorithm jwt_issuer jwt_audience"
    " ws_max_bytes ws_ping_interval ws_ping_timeout ws_close_timeout"
)
_SHIM: Final = CLIENT | _fields(
    "log_format log_stderr ws_autostart ws_hello_timeout ws_ping_validation_timeout drain_s reconnect_min_s reconnect_max_s"
    " client_timeout_s progress_interval_s simple_tool_timeout_secs workflow_tool_timeout_secs"
    " tool_profile enabled_tools disabled_tools"
)
_MODELS: Final = _fields(
    "home environment log_level glm_api_key glm_api_url glm_timeout_secs glm_stream_timeout kimi_api_key kimi_api_url"
    " kimi_timeout_secs kimi_stream_timeout stream_idle_s providers_file default_model ws_glm_max_inflight"
    " ws_kimi_max_inflight"
)
USED: Final[Mapping[str, frozenset[str]]] = {
    "init": _SHIM | _MODELS | {"simulate"},
    "ask": CLIENT | {"ws_autostart", "drain_s", "tool_call_max_size"},
    "models": CLIENT | {"ws_autostart", "drain_s"},
    "logs": frozenset({"home", "log_level"}),
    "usage": frozenset({"home", "log_level"}),
    "token": _fields(
        "home log_level jwt_secret_key jwt_algorithm jwt_issuer jwt_audience jwt_keys_file redis_url deployment"
    ),
    "access": frozenset({"home", "log_level"}),
    "alerts": frozenset({"home", "log_level"}),
    "incidents": frozenset({"home", "log_level", "investigator_model"}),
    "stop": frozenset({"home", "log_level", "drain_s"}),
    "restart": CLIENT | {"drain_s", "glm_api_key", "kimi_api_key", "simulate"},
    "shim": _SHIM,
    "status": CLIENT | {"storage_backend", "database_url"},
    "storage": CLIENT
    | _fields(
        "storage_backend supabase_url supabase_key supabase_project_id supabase_db_url database_url history_days"
    ),
    "threads": frozenset({"home", "conversation_timeout_hours", "storage_backend", "log_level"}),
    "bus": frozenset({"home", "storage_backend", "log_level"}),
    "cleanup": _MODELS | {"storage_backend", "cleanup_grace_hours", "files_max_gb", "history_days"},
    "tools": CLIENT | {"disabled_tools"},
    "providers": _MODELS,
}
_ALL: Final = frozenset({"serve"})


def is_used(command: str, field: str) -> bool:
    """A command that is not listed is a client of the daemon and no more. What has no field concerns everybody."""
    return command in _ALL or not field or field in USED.get(command, CLIENT)


def faults_of(command: str, loaded: Loaded) -> tuple[Fault, ...]:
    """Those that stop the command."""
    return tuple(fault for fault in loaded.faults if is_used(command, fault.field))


def warnings_of(command: str, loaded: Loaded) -> tuple[str, ...]:
    """Without those about values for other programs that the command would not have read anyway."""
    foreign = (text for field, text in loaded.foreign.items() if is_used(command, field))
    return (*loaded.general, *foreign)
