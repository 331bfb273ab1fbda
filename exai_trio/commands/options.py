"""What may stand on the command line of `exai`. What is done with it is in `cli` and the commands."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from math import isfinite
from typing import Protocol

from exai_trio import __version__
from exai_trio.settings.values import Place, host

# Options that are settings, and the variable that each sets. Secrets are none: other users see command lines.
SETTING_OF = {
    "host": "EXAI_WS_HOST",
    "port": "EXAI_WS_PORT",
    "home": "EXAI_HOME",
    "simulate": "EXAI_SIMULATE",
    "health_port": "HEALTH_CHECK_PORT",
    "monitoring_port": "MONITORING_PORT",
    "log_level": "LOG_LEVEL",
}

EDITORS = ("claude", "codex", "gemini", "opencode", "cursor", "vscode", "augment")


class Commands(Protocol):
    """argparse's own name for what `add_subparsers` returns is private."""

    def add_parser(self, name: str, *, help: str, description: str) -> ArgumentParser: ...  # noqa: A002  # argparse's name


def parser() -> ArgumentParser:
    top = ArgumentParser(
        prog="exai",
        description="A second opinion for coding agents: GLM and Kimi behind MCP.",
        epilog="Settings come from the command line, the environment, ENV_FILE (.env), your own settings file and defaults: see `exai config`.",
    )
    top.add_argument("--version", action="version", version=f"exai {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _serve(commands)
    _shim(commands)
    _call(commands)
    _asking(commands)
    _threads(commands)
    _simulate(commands)
    _config(commands)
    _providers(commands)
    return top


def _command(commands: Commands, name: str, about: str) -> ArgumentParser:
    return commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")


def _place(command: ArgumentParser) -> None:
    command.add_argument("--host", help="the daemon's address")
    command.add_argument("--port", help="the daemon's port")
    command.add_argument("--home", metavar="DIR", help="where state, logs and files are")


def _serve(commands: Commands) -> None:
    command = _command(commands, "serve", "run the daemon")
    _place(command)
    command.add_argument("--health-port", metavar="PORT", help="HTTP health; 0: off")
    command.add_argument("--monitoring-port", metavar="PORT", help="HTTP pages; 0: off")
    command.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR")
    command.add_argument(
        "--simulate",
        action="store_const",
        const="true",
        help="use the bundled simulator instead of GLM and Kimi",
    )
    command.add_argument(
        "--replace",
        action="store_true",
        help="take the place of the daemon that serves this home, without a gap",
    )


def _shim(commands: Commands) -> None:
    _place(_command(commands, "shim", "speak MCP over stdio to an editor, and relay to the daemon"))


def _call(commands: Commands) -> None:
    command = _command(commands, "call", "call one tool")
    _place(command)
    command.add_argument("tool", type=_text, metavar="TOOL")
    command.add_argument(
        "words",
        metavar="KEY=VALUE",
        nargs="*",
        help="an argument of the tool; @FILE reads the value from a file, @- from stdin, @@ is a literal @",
    )
    command.add_argument("--json", action="store_true", help="print the whole outcome as JSON")
    command.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="give up after so long"
    )


def _asking(commands: Commands) -> None:
    tools = _command(commands, "tools", "list the tools")
    tools.add_argument("--all", action="store_true", help="hidden and disabled ones too")
    for command in (
        tools,
        _command(commands, "status", "say how the daemon does"),
        _command(commands, "doctor", "say what is wrong, and how to mend it"),
    ):
        _place(command)
        command.add_argument("--json", action="store_true", help="print JSON")


def _threads(commands: Commands) -> None:
    command = _command(commands, "threads", "look after the stored conversations")
    command.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, about in (
        ("list", "the conversations that have not expired"),
        ("show", "print one as text"),
        ("name", "give one a name"),
        ("export", "print one as JSON"),
        ("fork", "copy one; prints the copy's id"),
        ("delete", "delete one"),
    ):
        action = _command(actions, name, about)
        if name == "list":
            action.add_argument("--json", action="store_true", help="print JSON")
        else:
            action.add_argument(
                "thread", type=_text, metavar="ID", help="an id, its beginning, or a name"
            )
        if name == "name":
            action.add_argument("name", type=_text, metavar="NAME", help="'' takes the name away")


def _simulate(commands: Commands) -> None:
    command = _command(commands, "simulate", "stand in for the GLM and Kimi services")
    # Not the settings of the same name: these are the simulator's own.
    # audit: host, because the simulator is for this machine
    command.add_argument("--host", dest="simulator_host", type=_host, default="127.0.0.1")
    command.add_argument(
        "--port", dest="simulator_port", type=_port, default=0, help="0: any free port"
    )
    command.add_argument(
        "--as",
        dest="local",
        choices=("ollama", "llama-server", "lm-studio", "vllm"),
        help="stand in for a model server of this machine instead",
    )
    command.add_argument("--until-eof", action="store_true", help="end when stdin ends")
    command.add_argument("--request-log", metavar="FILE", help="write every request to this file")


def _config(commands: Commands) -> None:
    command = _command(commands, "config", "print the settings")
    _place(command)
    shape = command.add_mutually_exclusive_group()
    shape.add_argument("--example", action="store_true", help="print .env.example")
    shape.add_argument(
        "--mcp",
        nargs="?",
        choices=EDITORS,
        const=EDITORS[0],
        help="print the configuration of an editor",
    )
    _config_actions(command)


def _config_actions(command: ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION")
    setting = actions.add_parser(
        "set",
        help="write a setting into your own settings file; a secret is asked for, or read from a pipe",
    )
    setting.add_argument("name", metavar="NAME", help="`exai config` lists all")
    setting.add_argument("value", metavar="VALUE", nargs="?", help="none for secrets")
    unset = actions.add_parser("unset", help="take settings out of your own settings file")
    unset.add_argument("names", metavar="NAME", nargs="+")
    actions.add_parser("path", help="print where your own settings file is, or would be")


def _providers(commands: Commands) -> None:
    command = _command(commands, "providers", "find, add, try and remove model servers")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    detect = actions.add_parser(
        "detect", help="find model servers of this machine; nothing is sent but GET requests"
    )
    detect.add_argument("--json", action="store_true", help="print JSON")
    add = actions.add_parser(
        "add", help="let EXAI ask a server: one that was found, or one at an address"
    )
    add.add_argument(
        "name", metavar="NAME", nargs="?", help="as `exai providers detect` calls it, or a new name"
    )
    add.add_argument("--url", metavar="URL", help="such as http://127.0.0.1:8080/v1")
    add.add_argument(
        "--key-variable",
        metavar="VARIABLE",
        default="",
        help="the variable that holds its key; `exai config set VARIABLE` asks for the key",
    )
    test = actions.add_parser("test", help="ask each provider, or one, a short question")
    test.add_argument("name", metavar="NAME", nargs="?", default="")
    remove = actions.add_parser("remove", help="let EXAI ask a provider of the file no more")
    remove.add_argument("name", metavar="NAME")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _text(text: str) -> str:
    """Bytes that are no UTF-8 arrive as half characters (lone surrogates), which cannot be sent or stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{text!r} is not UTF-8") from None
    return text


def _host(text: str) -> str:
    kind = host()
    try:
        kind.parse(text, Place())
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {kind.allowed}") from None
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):  # noqa: PLR2004  # TCP's
        raise ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def given(arguments: Namespace) -> dict[str, str]:
    """The settings among the arguments, as texts by variable."""
    found = {variable: getattr(arguments, name, None) for name, variable in SETTING_OF.items()}
    return {variable: str(value) for variable, value in found.items() if value is not None}
