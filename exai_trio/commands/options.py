"""What may stand on the command line of `exai`.

What is done with it is in `cli` and the commands.
"""

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable
from typing import cast

from exai_trio.commands.usage import (
    access_options,
    calling_options,
    daemon_options,
    looking_options,
    storage_options,
    terminal_options,
    watching_options,
)
from exai_trio.commands.usage.building import (
    Commands,
    Outline,
    command as _command,
    host_name as _host,
    place as _place,
    port as _port,
    text as _text,
)
from exai_trio.commands.usage.parser import Parser, VersionAction

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

CLEANUP_STAGES = ("expire", "release", "condemn", "delete", "reconcile")
OVER_HTTP = "http"
EDITORS = ("claude", "codex", "gemini", "opencode", "cursor", "vscode", "augment")


_OF_ALL = frozenset({"-h", "--help"})
Build = Callable[[Commands], None]


def parser(command: str = "") -> Parser:
    """The parser of all commands; or, if that names one, of this one alone: an editor waits for it. For the help of all it is
    an outline."""
    top = Parser(
        prog="exai",
        usage="exai COMMAND …",
        description="A second opinion for coding agents: GLM, Kimi and local models behind MCP.",
    )
    top.add_argument("--version", action=VersionAction, help="print the version")
    top.examples = ("exai ask 'what does this do?' -f src", "exai help ask")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="exai", parser_class=Parser
    )
    wanted: Commands = Outline(commands) if command in _OF_ALL else commands
    for build in [BUILDERS[command]] if command in BUILDERS else BUILDERS.values():
        build(wanted)
    return top


def _serve(commands: Commands) -> None:
    command = _command(commands, "serve", "run the daemon")
    command.examples = ("exai serve", "exai serve --simulate")
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
    command = _command(
        commands, "shim", "speak MCP over stdio to an editor, and relay to the daemon"
    )
    command.examples = ("exai shim",)
    _place(command)


def _threads(commands: Commands) -> None:
    command = _command(commands, "threads", "look after the stored conversations")
    command.examples = ("exai threads list", "exai threads show 3f2a9c01")
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


def _cleanup(commands: Commands) -> None:
    command = _command(
        commands, "cleanup", "delete what is old and unused, here and at the providers"
    )
    command.examples = ("exai cleanup --dry-run", "exai cleanup --stage delete --json")
    command.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    command.add_argument("--dry-run", action="store_true", help="only say what would be changed")
    command.add_argument("--stage", choices=CLEANUP_STAGES, help="only this one")
    command.add_argument("--json", action="store_true", help="print JSON")


def _simulate(commands: Commands) -> None:
    command = _command(commands, "simulate", "stand in for the GLM and Kimi services")
    command.examples = ("exai simulate --port 9090",)
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


class _EditorAction(Action):
    """`EDITOR`, `http EDITOR`, or neither: the first of all."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        words = [str(word) for word in cast("list[object]", values)]
        namespace.over_http = words[:1] == [OVER_HTTP]
        named = words[1:] if namespace.over_http else words
        if len(named) > 1 or OVER_HTTP in named:
            parser.error(f"argument {option_string}: one editor at a time")
        namespace.mcp = named[0] if named else EDITORS[0]


def _config(commands: Commands) -> None:
    command = _command(commands, "config", "print the settings")
    command.examples = ("exai config", "exai config --mcp claude", "exai config --mcp http claude")
    _place(command)
    shape = command.add_mutually_exclusive_group()
    shape.add_argument("--example", action="store_true", help="print .env.example")
    shape.add_argument(
        "--mcp",
        action=_EditorAction,
        nargs="*",
        choices=(*EDITORS, OVER_HTTP),
        metavar="EDITOR",
        help=f"print the configuration of an editor: {', '.join(EDITORS)}; `{OVER_HTTP} EDITOR`: by a URL, without a shim",
    )
    command.set_defaults(over_http=False)
    shape.add_argument(
        "--skill", action="store_true", help="print a file by which agents use `exai ask`"
    )
    change = command.add_mutually_exclusive_group()
    change.add_argument("--install", action="store_true", help="with --mcp: register EXAI there")
    change.add_argument("--remove", action="store_true", help="with --mcp: take it out again")
    command.add_argument(
        "--container",
        action="store_true",
        help="with --mcp: the daemon runs in a container, and the shim never starts one",
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
    command.examples = ("exai providers detect", "exai providers test")
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


def _init(commands: Commands) -> None:
    command = _command(commands, "init", "find keys, models and editors, and set everything up")
    command.examples = ("exai init", "exai init --yes", "exai init --undo")
    _place(command)
    way = command.add_mutually_exclusive_group()
    way.add_argument("--yes", action="store_true", help="take the defaults, ask nothing")
    way.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )
    way.add_argument("--undo", action="store_true", help="take back what `exai init` has done")
    command.add_argument(
        "--editors", metavar="NAMES", help="which ones to tell, with commas; all; none"
    )


# In the order of the help.
BUILDERS: dict[str, Build] = {
    "init": _init,
    "ask": calling_options.ask,
    "call": calling_options.call,
    "models": looking_options.models,
    "tools": looking_options.tools,
    "threads": _threads,
    "bus": storage_options.bus,
    "storage": storage_options.storage,
    "cleanup": _cleanup,
    "term": terminal_options.term,
    "token": access_options.token,
    "access": access_options.access,
    "status": looking_options.status,
    "doctor": looking_options.doctor,
    "logs": looking_options.logs,
    "usage": looking_options.usage,
    "dashboard": looking_options.dashboard,
    "top": looking_options.top,
    "alerts": watching_options.alerts,
    "incidents": watching_options.incidents,
    "config": _config,
    "providers": _providers,
    "serve": _serve,
    "stop": daemon_options.stop,
    "restart": daemon_options.restart,
    "shim": _shim,
    "simulate": _simulate,
    "completion": daemon_options.completion,
    "help": daemon_options.manual,
}


def given(arguments: Namespace) -> dict[str, str]:
    """The settings among the arguments, as texts by variable."""
    found = {variable: getattr(arguments, name, None) for name, variable in SETTING_OF.items()}
    return {variable: str(value) for variable, value in found.items() if value is not None}
