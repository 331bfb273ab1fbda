"""What `exai incidents` and `exai alerts` take."""

from argparse import ArgumentTypeError
from typing import Final

from exai_trio.commands.usage.building import Commands, command, text

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S: Final = 366 * 86400.0
_HOME: Final = "where state, logs and files are"


def incidents(commands: Commands) -> None:
    parser = command(commands, "incidents", "list, explain and resolve the faults that were seen")
    parser.examples = (
        "exai incidents",
        "exai incidents show 3f2a",
        'exai incidents resolve 3f2a --notes "mended in 0.3"',
    )
    parser.add_argument("--home", metavar="DIR", help=_HOME)
    parser.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = command(actions, "list", "those that are open")
    listing.add_argument("--all", action="store_true", help="resolved ones too")
    for name, about in {
        "show": "one with its trace, and what a model thinks of it",
        "investigate": "have a model asked what it is: it is sent the trace, and may cost money",
        "resolve": "it is mended; if it happens again, it is open again",
        "reopen": "it is not mended",
    }.items():
        acting = command(actions, name, about)
        acting.add_argument("incident", type=text, metavar="ID", help="an id, or its beginning")
        if name == "resolve":
            acting.add_argument("--notes", type=text, default="", metavar="TEXT", help="how")
            acting.add_argument(
                "--version",
                type=text,
                default="",
                metavar="VERSION",
                help="it is gone from this version on",
            )


def alerts(commands: Commands) -> None:
    parser = command(commands, "alerts", "list the alerts that fire, or keep one quiet")
    parser.examples = ("exai alerts", "exai alerts silence disk --for 2h")
    parser.add_argument("--home", metavar="DIR", help=_HOME)
    parser.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    silence = command(actions, "silence", "keep one quiet for a while")
    silence.add_argument("name", type=text, metavar="NAME", help="an alert's name")
    silence.add_argument(
        "--for",
        dest="for_s",
        type=duration,
        default=3600.0,
        metavar="TIME",
        help="90s, 30m, 2h, 1d; 1h if not given",
    )


def duration(given: str) -> float:
    number, unit = given[:-1], given[-1:]
    try:
        seconds = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise ArgumentTypeError(f"{given!r} is no time such as 90s, 30m, 2h or 1d, a year at most")
    return seconds
