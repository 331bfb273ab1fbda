"""What may stand on the command line of `exai config set, unset, path`. What is done with it is in the commands."""

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
