"""What `exai term` takes."""

from exai_trio.commands.usage.building import Commands, command, place, text
from exai_trio.commands.usage.parser import Parser

TYPES = ("system", "claude")


def term(commands: Commands) -> None:
    parser = command(commands, "term", "have terminals beside the daemon, which outlive it")
    parser.examples = ("exai term new", "exai term attach build", "exai term new -- htop")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _new(command(actions, "new", "start a terminal, and attach to it"))
    _attach(command(actions, "attach", "show a terminal here; Ctrl-] d leaves it running"))
    _list(command(actions, "list", "say which terminals there are"))
    _rename(command(actions, "rename", "give a terminal another name"))
    _kill(command(actions, "kill", "end terminals, and all that they have started"))


def _new(parser: Parser) -> None:
    parser.examples = ("exai term new", "exai term new --name build -- make -j4")
    place(parser)
    parser.add_argument("--type", choices=TYPES, default="system", help="what runs in it")
    parser.add_argument("--name", type=text, default="", help="by which it can be meant")
    parser.add_argument("--cwd", type=text, metavar="DIR", help="where; this folder if not given")
    parser.add_argument("--project", type=text, metavar="UUID", help="the project that it is of")
    parser.add_argument("--no-attach", action="store_true", help="print its id, and no more")
    parser.add_argument(
        "program", type=text, nargs="*", metavar="COMMAND", help="behind --: what runs instead"
    )


def _attach(parser: Parser) -> None:
    parser.examples = ("exai term attach build", "exai term attach --read-only 3f2a9c01")
    place(parser)
    _session(parser)
    parser.add_argument("--read-only", action="store_true", help="show it, and type nothing")
    parser.add_argument(
        "--recreate", action="store_true", help="start another one if it is there no more"
    )


def _list(parser: Parser) -> None:
    place(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _rename(parser: Parser) -> None:
    place(parser)
    _session(parser)
    parser.add_argument("name", type=text, metavar="NAME")


def _kill(parser: Parser) -> None:
    place(parser)
    parser.add_argument(
        "sessions", type=text, nargs="*", metavar="ID", help="ids, their beginnings, or names"
    )
    parser.add_argument("--all", action="store_true", help="all of yours")


def _session(parser: Parser) -> None:
    parser.add_argument("session", type=text, metavar="ID", help="an id, its beginning, or a name")
