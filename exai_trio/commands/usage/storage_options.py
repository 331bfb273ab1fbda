"""What `exai storage` takes."""

from exai_trio.commands.usage.building import Commands, command

_ACTIONS = (
    ("migrate", "make or upgrade the tables at Supabase, or print the SQL for it"),
    ("status", "say how the store fares, and what is still to be sent"),
    ("check", "name what is wrong with the store; exit code 1 if there is anything"),
    ("push", "send the conversations that Supabase has never heard of"),
    ("retry", "send again what the database refused"),
)


def storage(commands: Commands) -> None:
    parser = command(commands, "storage", "look after the store, here and at Supabase")
    parser.examples = ("exai storage status", "exai storage migrate")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, about in _ACTIONS:
        action = command(actions, name, about)
        action.add_argument("--json", action="store_true", help="print JSON")
        if name == "check":
            action.add_argument(
                "--full", action="store_true", help="look at everything, however long that takes"
            )
