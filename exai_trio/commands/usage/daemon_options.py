"""What `exai stop` and `exai restart` take."""

from exai_trio.commands.usage.building import Commands, command, place


def stop(commands: Commands) -> None:
    parser = command(commands, "stop", "end the daemon, once the calls that run have ended")
    parser.examples = ("exai stop",)
    place(parser)


def restart(commands: Commands) -> None:
    parser = command(commands, "restart", "start the daemon anew; calls that run are taken over")
    parser.examples = ("exai restart",)
    place(parser)
