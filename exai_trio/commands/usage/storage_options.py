"""What the commands take that look after what is kept."""

from exai_trio.commands.usage.building import Commands, command, text

_HOSTED = (
    ("migrate", "make or upgrade the tables at Supabase, or print the SQL for it"),
    ("status", "say how the store fares, and what is still to be sent"),
    ("push", "send the conversations that Supabase has never heard of"),
    ("retry", "send again what the database refused"),
)


def bus(commands: Commands) -> None:
    parser = command(commands, "bus", "list and read the large results that are kept")
    parser.examples = ("exai bus list", "exai bus get txn_3f2a -o answer.txt")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = command(actions, "list", "those that are kept, and until when")
    listing.add_argument("--json", action="store_true", help="print JSON")
    reading = command(actions, "get", "print one, or write it to a file")
    reading.add_argument(
        "transaction", type=text, metavar="ID", help="a transaction id, or its beginning"
    )
    reading.add_argument("-o", "--output", metavar="FILE", help="a file that is not there yet")


def storage(commands: Commands) -> None:
    parser = command(
        commands, "storage", "back up, restore and check what is kept, here and at Supabase"
    )
    parser.examples = (
        "exai storage backup home.tgz",
        "exai storage check --full",
        "exai storage migrate",
    )
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    backup = command(
        actions, "backup", "write everything that is kept to one file; a daemon may run"
    )
    backup.add_argument("file", type=text, metavar="FILE", help="a file that is not there yet")
    restore = command(
        actions, "restore", "put a backup in the place of what is kept; no daemon may run"
    )
    restore.add_argument("file", type=text, metavar="FILE", help="as `backup` wrote it")
    check = command(
        actions, "check", "name what is wrong with what is kept; exit 1 if something is"
    )
    check.add_argument("--full", action="store_true", help="hash everything, not a sample")
    check.add_argument("--json", action="store_true", help="print JSON")
    copy = command(actions, "copy", "put the conversations of this home into PostgreSQL")
    copy.add_argument("--json", action="store_true", help="print JSON")
    for name, about in _HOSTED:
        command(actions, name, about).add_argument("--json", action="store_true", help="print JSON")
