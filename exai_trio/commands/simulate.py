"""`exai simulate`: the provider simulator as a process."""

from functools import partial
from pathlib import Path

import trio

from exai_trio.commands.started import Started
from exai_trio.simulator import child


def main(started: Started) -> int:
    arguments = started.arguments
    log = None if arguments.request_log is None else Path(arguments.request_log)
    simulator = partial(child.main, until_eof=arguments.until_eof, request_log=log)
    trio.run(simulator, arguments.simulator_host, arguments.simulator_port)
    return 0
