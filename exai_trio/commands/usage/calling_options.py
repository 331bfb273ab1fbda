"""What `exai ask` and `exai call` take."""

from exai_trio.commands.usage.building import Commands, command, place, seconds, text
from exai_trio.commands.usage.parsing import Parser


def ask(commands: Commands) -> None:
    parser = command(commands, "ask", "ask a model, about what is piped in and the files named")
    parser.examples = (
        "exai ask 'is this loop free of races?' -f src/worker.py",
        "git diff | exai ask 'review this'",
        "exai ask -c 'and how would you test it?'",
        "exai ask -m glm-4.6 -o plan.md 'a plan for the migration' < notes.txt",
    )
    parser.add_argument(
        "words",
        type=text,
        metavar="QUESTION",
        nargs="*",
        default=[],
        help="what is piped in stands below it",
    )
    parser.add_argument(
        "-f",
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="PATH",
        help="a file or directory to show; may stand several times",
    )
    parser.add_argument("-m", "--model", type=text, default="", help="see `exai models`")
    parser.add_argument(
        "-c", "--continue", dest="go_on", action="store_true", help="go on with the last question"
    )
    parser.add_argument(
        "-t", "--thread", type=text, default="", metavar="ID", help="go on with this conversation"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the answer to this file instead"
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    _showing(parser)
    place(parser)


def call(commands: Commands) -> None:
    parser = command(commands, "call", "call one tool")
    parser.examples = (
        "exai call chat prompt='which of the two is faster?' files=src/a.py files=src/b.py",
        "exai call precommit --json path=. step=check step_number=1 total_steps=1 next_step_required=no findings=none",
        "exai call chat prompt=@question.txt",
    )
    parser.add_argument("tool", type=text, metavar="TOOL", help="see `exai tools`")
    parser.add_argument(
        "words",
        metavar="KEY=VALUE",
        nargs="*",
        default=[],
        help="an argument of the tool; @FILE reads the value from a file, @- from stdin, @@ is a literal @",
    )
    parser.add_argument("--json", action="store_true", help="print the whole outcome as JSON")
    _showing(parser)
    place(parser)


def _showing(parser: Parser) -> None:
    parser.add_argument(
        "--plain", action="store_true", help="text as it comes, without colours and Markdown"
    )
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="give up after so long")
