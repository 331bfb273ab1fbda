"""What the commands take that look after what is kept."""

from exai_trio.commands.usage.building import Commands, command, text


def bus(commands: Commands) -> None:
    parser = command(commands, "bus", "list and read the large results that are kept")
    parser.examples = ("exai bus list", "exai bus get txn_3f2a > answer.txt")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = command(actions, "list", "those that are kept, and until when")
    listing.add_argument("--json", action="store_true", help="print JSON")
    reading = command(actions, "get", "print one, or write it to a file")
    reading.add_argument(
        "transaction", type=text, metavar="ID", help="a transaction id, or its beginning"
    )
    reading.add_argument("-o", "--output", metavar="FILE", help="a file that is not there yet")
