"""`exai storage`: each action is a module of its own, imported when it is asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Final, cast

from exai_trio.commands.invocation import Started

# The module beside this one whose `main` carries out the action.
ACTIONS: Final = {
    "backup": "backup_home",
    "restore": "restore_home",
    "check": "store_command",
    "copy": "store_command",
    "migrate": "store_command",
    "status": "store_command",
    "push": "store_command",
    "retry": "store_command",
}


def main(started: Started) -> int:
    module = import_module(f"{__package__}.{ACTIONS[started.arguments.action]}")
    return cast("Callable[[Started], int]", module.main)(started)
