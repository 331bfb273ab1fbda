"""What may stand on the command line of `exai config set, unset, path` and of `exai providers`. What is done with it is in the commands."""

from argparse import ArgumentParser


def config_actions(command: ArgumentParser) -> None:
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


def provider_actions(command: ArgumentParser) -> None:
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
