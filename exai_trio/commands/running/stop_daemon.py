"""`exai stop`: ends the daemon of the home, once the calls that run have ended."""

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.running import home_daemon
from exai_trio.config import Config

DONE, FAILED = 0, 1


def main(started: Started) -> int:
    return trio.run(run, started.loaded.config, Console.of_process(started.environ))


async def run(config: Config, console: Console) -> int:
    """The exit code. Raises ServiceUnavailableError. That no daemon runs is no failure."""
    if not home_daemon.is_running(config):
        console.say(f"no daemon runs for {config.home}")
        return DONE
    console.status("the daemon ends; calls that run may finish first")
    ended = await home_daemon.end(config)
    console.erase()
    if not ended:
        console.note("exai: the daemon was told to end and is still there; see `exai logs`")
        return FAILED
    console.say("the daemon has ended")
    return DONE
