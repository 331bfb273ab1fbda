"""What the commands take that say what is there and how it does."""

from argparse import SUPPRESS

from exai_trio.commands.usage.building import Commands, command, count, keys, place, text
from exai_trio.commands.usage.parser import Parser


def tools(commands: Commands) -> None:
    parser = command(commands, "tools", "list the tools")
    parser.examples = ("exai tools", "exai tools --all")
    parser.add_argument("--all", action="store_true", help="hidden and disabled ones too")
    _asking(parser)


def models(commands: Commands) -> None:
    parser = command(commands, "models", "list the models that can be asked now")
    parser.examples = ("exai models", "exai models glm-4.6")
    parser.add_argument("model", type=text, metavar="MODEL", nargs="?", help="this one in detail")
    _asking(parser)


def status(commands: Commands) -> None:
    parser = command(commands, "status", "say how the daemon does")
    parser.examples = ("exai status", "exai status --all", "exai status --daemons")
    parser.add_argument("--all", action="store_true", help="everything that the daemon reports")
    parser.add_argument(
        "--daemons", action="store_true", help="every daemon of DATABASE_URL, and what it runs"
    )
    _asking(parser)


def doctor(commands: Commands) -> None:
    parser = command(commands, "doctor", "say what is wrong, and how to mend it")
    parser.examples = ("exai doctor", "exai doctor --online", "exai doctor --production")
    parser.add_argument(
        "--online", action="store_true", help="ask each provider too whether it takes our key"
    )
    parser.add_argument(
        "--production",
        action="store_true",
        help="look at what must not be left open where others depend on the daemon",
    )
    _asking(parser)


def usage(commands: Commands) -> None:
    parser = command(commands, "usage", "say what is used, and how it fares")
    parser.examples = (
        "exai usage",
        "exai usage --by day,model --since 7d",
        "exai usage --of ann",
        "exai usage tools --days 14 --json",
    )
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    parser.add_argument(
        "--by", type=keys, default=("model", "tool"), metavar="KEYS",
        help="added up by model, tool, project, principal, day or hour; model,tool if not given",
    )  # fmt: skip
    parser.add_argument(
        "--since", type=text, default="30d", metavar="TIME", help="a time, or 2h or 7d ago; 30d if not given"
    )  # fmt: skip
    parser.add_argument(
        "--of", type=text, metavar="NAME", help="the quota of this one: what counts of it now, and what is left"
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    tools = command(
        actions, "tools", "each tool: calls, sessions, failures, times, cost, a verdict"
    )
    tools.add_argument(
        "--days", type=count, default=30, metavar="N", help="looks back so far; 30 if not given"
    )
    tools.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")


def dashboard(commands: Commands) -> None:
    parser = command(commands, "dashboard", "open the dashboard in a browser, logged in")
    parser.examples = ("exai dashboard", "exai dashboard --print")
    parser.add_argument(
        "--print", action="store_true", help="print the address, which is good once, for a minute"
    )
    _of_pages(parser)


def top(commands: Commands) -> None:
    parser = command(commands, "top", "show the overview and the running calls, each second")
    parser.examples = ("exai top", "exai top --once --json")
    parser.add_argument("--once", action="store_true", help="print it once")
    parser.add_argument("--json", action="store_true", help="print JSON, once")
    _of_pages(parser)


def _of_pages(parser: Parser) -> None:
    parser.add_argument("--host", help="the daemon's address")
    parser.add_argument("--monitoring-port", metavar="PORT", help="the port of its pages")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")


def logs(commands: Commands) -> None:
    parser = command(commands, "logs", "print the newest lines of the logs")
    parser.examples = ("exai logs", "exai logs -f", "exai logs 3f2a9c01")
    parser.add_argument(
        "id", type=text, metavar="ID", nargs="?", help="only lines about this; errors name one"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.add_argument(
        "-n", "--lines", type=count, default=30, metavar="N", help="30 if not given"
    )
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")


def _asking(parser: Parser) -> None:
    place(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
