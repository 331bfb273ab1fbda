"""The commands by name, and where each is: a command's module is imported when it is asked for. Pure."""

from typing import Final

# The module in `commands` whose `main` runs the command.
MODULES: Final = {
    "init": "initial.init_command",
    "ask": "calling.ask",
    "serve": "serve",
    "shim": "shim",
    "call": "calling.call_tool",
    "tools": "offered_tools",
    "status": "checking.daemon_status",
    "models": "checking.offered_models",
    "logs": "checking.read_logs",
    "usage": "watching.usage_command",
    "dashboard": "watching.dashboard_command",
    "top": "watching.top_command",
    "alerts": "watching.alerts_command",
    "incidents": "watching.incidents_command",
    "stop": "running.stop_daemon",
    "restart": "running.restart_daemon",
    "completion": "completion.shell_script",
    "doctor": "checking.doctor",
    "threads": "stored_threads",
    "cleanup": "clean_up",
    "bus": "storage.bus_command",
    "storage": "storage.storage_command",
    "term": "term.term_command",
    "token": "access.token_command",
    "access": "access.access_command",
    "simulate": "simulate",
    "config": "setup.show_config",
    "providers": "setup.providers_command",
}
# Commands that change something, or some of whose actions do.
CHANGE_SOMETHING: Final = frozenset(
    {
        "threads",
        "storage",
        "cleanup",
        "alerts",
        "incidents",
        "config",
        "providers",
        "stop",
        "restart",
    }
)
