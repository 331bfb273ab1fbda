"""What the commands take that say who may call, and who did."""

from argparse import ArgumentTypeError

from exai_trio.commands.usage.building import Commands, command, count, text
from exai_trio.commands.usage.parser import Parser

_ROLES = ("viewer", "user", "admin")
_LINES = 50
_MOST_DAYS = 3650.0
_MOST_LIMIT = 10**15


def _days(given: str) -> float:
    try:
        days = float(given)
    except ValueError:
        days = 0.0
    if not 0 < days <= _MOST_DAYS:
        raise ArgumentTypeError(f"{given!r} is not a number of days up to {_MOST_DAYS:.0f}")
    return days


def _limit(given: str) -> int:
    """0 takes a limit away."""
    if not (given.isascii() and given.isdigit() and int(given) <= _MOST_LIMIT):
        raise ArgumentTypeError(f"{given!r} is not a number from 0 to {_MOST_LIMIT}")
    return int(given)


def token(commands: Commands) -> None:
    parser = command(commands, "token", "give others a token, and take it back")
    parser.examples = ("exai token issue ann --days 30", "exai token revoke --all-of ann")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _issue(command(actions, "issue", "print a new token, this once"))
    command(actions, "list", "the tokens that were issued").add_argument(
        "--json", action="store_true", help="print JSON"
    )
    revoking = command(actions, "revoke", "take a token back; its connections end within seconds")
    revoking.add_argument("id", type=text, nargs="?", metavar="ID", help="an id, or its beginning")
    revoking.add_argument("--all-of", type=text, metavar="NAME", help="all tokens of this name")
    setting = command(actions, "set", "change the quotas of a token, which stays the same")
    setting.add_argument("id", type=text, metavar="ID", help="an id, or its beginning")
    _quotas(setting)
    command(
        actions, "rotate-keys", "sign by a new key; older ones verify until they are not needed"
    )


def _issue(parser: Parser) -> None:
    parser.examples = ("exai token issue ann --role viewer", "exai token issue ci --concurrent 2")
    parser.add_argument("name", type=text, metavar="NAME", help="whose it is")
    parser.add_argument("--role", choices=_ROLES, default="user", help="user if not given")
    parser.add_argument("--scope", type=text, default="", help="terminal: may have terminals too")
    parser.add_argument("--days", type=_days, default=30.0, metavar="N", help="30 if not given")
    _quotas(parser)


def _quotas(parser: Parser) -> None:
    parser.add_argument("--calls-per-minute", type=_limit, metavar="N", help="0: as many as may be")
    parser.add_argument("--concurrent", type=_limit, metavar="N", help="calls at once")
    parser.add_argument("--tokens-per-day", type=_limit, metavar="N", help="input plus output")


def access(commands: Commands) -> None:
    parser = command(commands, "access", "say who came, who was refused and who changed what")
    parser.examples = ("exai access", "exai access --of ann")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    parser.add_argument("--of", type=text, metavar="NAME", help="of this one alone")
    parser.add_argument(
        "-n",
        "--lines",
        type=count,
        default=_LINES,
        metavar="N",
        help=f"the newest {_LINES} if not given",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
