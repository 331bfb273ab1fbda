"""What `exai stop`, `exai restart`, `exai completion` and `exai help` take."""

from exai_trio.commands.usage.building import Commands, command, place

SHELLS = ("bash", "zsh", "fish")


def stop(commands: Commands) -> None:
    parser = command(commands, "stop", "end the daemon, once the calls that run have ended")
    parser.examples = ("exai stop",)
    place(parser)


def restart(commands: Commands) -> None:
    parser = command(commands, "restart", "start the daemon anew; calls that run are taken over")
    parser.examples = ("exai restart",)
    place(parser)


def completion(commands: Commands) -> None:
    parser = command(commands, "completion", "print what lets a shell complete exai's commands")
    parser.examples = ("exai completion bash", "exai completion zsh", "exai completion fish")
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def manual(commands: Commands) -> None:
    parser = command(commands, "help", "explain a command")
    parser.examples = ("exai help", "exai help ask")
    parser.add_argument("topic", metavar="COMMAND", nargs="?", help="all of them if not given")
