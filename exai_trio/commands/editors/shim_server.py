"""How an editor starts the shim: on this machine, or on whichever reaches a daemon of another."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from exai_trio import structs
from exai_trio.commands.console import Console
from exai_trio.commands.editors import editor_formats
from exai_trio.commands.invocation import Started
from exai_trio.interpreter import MODULE
from exai_trio.settings.load import ARGUMENTS, ENVIRON, Loaded
from exai_trio.settings.printing import text_of
from exai_trio.settings.table import SETTINGS

_PLACE = ("ws_host", "ws_port")
FOR_OTHERS: Final = "this is for machines where `exai` is on the PATH; there, `exai config set EXAI_WS_TOKEN` asks for the daemon's token"


@structs.frozen(kw_only=True)
class Machine:
    """Where this program runs: the absolute path of its interpreter, of the ENV_FILE that was read, if any, and what
    PYTHONPATH must be instead, if it names the working directory. `in_container`: the daemon runs in a container, and what runs
    that starts it again."""

    interpreter: str
    env_file: str | None = None
    own_file: str | None = None
    pathsep: str = ":"
    module_path: str | None = None
    in_container: bool = False


def machine_of(started: Started) -> Machine:
    return Machine(
        interpreter=sys.executable,
        env_file=started.env_file,
        own_file=None if started.own_file is None else str(started.own_file),
        pathsep=started.pathsep,
        module_path=started.module_path,
        in_container=getattr(started.arguments, "container", False),
    )


def editor_entry(editor: str, loaded: Loaded, machine: Machine) -> dict[str, Any]:
    """The editor's own value for the shim of this machine. It holds no secrets: those belong into a file of settings."""
    server = editor_formats.Server(
        command=machine.interpreter, args=[*MODULE, "shim"], env=shim_env(loaded, machine)
    )
    return editor_formats.entry(editor, server, loaded.config.client_timeout_s)


def portable_entry(editor: str, loaded: Loaded, machine: Machine) -> dict[str, Any]:
    """The same for colleagues' machines, where `exai` is on the PATH: nothing of this machine is in it but the daemon's address."""
    env = {
        setting.name: text_of(getattr(loaded.config, setting.field), machine.pathsep)
        for setting in SETTINGS
        if setting.field in _PLACE
        and _source(loaded.origins, setting.field) in {ARGUMENTS, ENVIRON}
    }
    server = editor_formats.Server(command="exai", args=["shim"], env=env)
    return editor_formats.entry(editor, server, 0.0)


def editor_configuration(editor: str, loaded: Loaded, machine: Machine) -> str:
    """What is to be pasted; for other machines where the command line names the daemon's host."""
    make = portable_entry if is_for_others(loaded) else editor_entry
    return editor_formats.configuration(editor, make(editor, loaded, machine))


def is_for_others(loaded: Loaded) -> bool:
    return _source(loaded.origins, "ws_host") == ARGUMENTS


def note_missing_secrets(loaded: Loaded, console: Console) -> None:
    """Editors hand few variables on: say which of ours would be missing there."""
    lost = [
        setting.name
        for setting in SETTINGS
        if setting.secret and _source(loaded.origins, setting.field) in {ARGUMENTS, ENVIRON}
    ]
    if lost:
        console.note(
            f"exai: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} set in this shell only, and editors do not "
            f"hand it on: `exai config set {lost[0]}` writes it into your own settings file"
        )


def shim_env(loaded: Loaded, machine: Machine) -> dict[str, str]:
    """What must be in the environment of a shim that is to be told what we were told; no secrets."""
    starts = loaded.config.loopback_only and not machine.in_container
    env = {"EXAI_WS_AUTOSTART": text_of(starts, machine.pathsep)}
    if machine.env_file is not None:
        env["ENV_FILE"] = machine.env_file
    if machine.module_path is not None:
        env["PYTHONPATH"] = machine.module_path
    for setting in SETTINGS:
        given = _source(loaded.origins, setting.field) in {ARGUMENTS, ENVIRON}
        if given and not setting.secret:
            env[setting.name] = text_of(getattr(loaded.config, setting.field), machine.pathsep)
    return env


def _source(origins: Mapping[str, str], field: str) -> str:
    return origins[field].split(",", 1)[0]
