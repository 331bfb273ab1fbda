"""`exai simulate`: the provider simulator as a process."""

import errno
from functools import partial
from pathlib import Path

import trio

from exai_trio.commands.invocation import Started
from exai_trio.errors import ServiceUnavailableError
from exai_trio.simulator import child_process
from exai_trio.system.exception_groups import first_of
from exai_trio.wire.hosts import OurNames


def main(started: Started) -> int:
    """Raises ServiceUnavailableError, in a group, if it cannot serve."""
    arguments = started.arguments
    log = None if arguments.request_log is None else Path(arguments.request_log)
    names = OurNames.of(started.loaded.config)
    simulator = partial(
        child_process.main,
        until_eof=arguments.until_eof,
        request_log=log,
        names=names,
        local=arguments.local,
    )
    host, port = arguments.simulator_host, arguments.simulator_port
    try:
        trio.run(simulator, host, port)
    except* OSError as faults:
        raise _unable(f"{host}:{port}", first_of(faults)) from faults
    return 0


def _unable(where: str, fault: OSError) -> ServiceUnavailableError:
    if fault.errno == errno.EADDRINUSE:
        return ServiceUnavailableError(
            f"port in use: something already listens on {where}; choose another --port"
        )
    return ServiceUnavailableError(
        f"the simulator cannot serve on {where}: {fault}; check --host, --port and --request-log"
    )
