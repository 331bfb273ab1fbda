"""The provider simulator as a child process of the daemon, for running without keys."""

import logging
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import trio

from exai_trio.errors import ServiceUnavailableError
from exai_trio.interpreter import EXAI

log = logging.getLogger("exai.simulated")

_START_S = 20.0
_COMMAND = (*EXAI, "simulate", "--port", "0", "--until-eof")


@asynccontextmanager
async def simulator() -> AsyncGenerator[str]:
    """The origin of a running simulator. It ends with the context, however that ends, and also when this process dies: its stdin
    closes. Raises ServiceUnavailableError if it does not start. Cancelling ends it too."""
    async with trio.open_nursery() as child:
        process: trio.Process = await child.start(_run)
        try:
            yield await _origin(process)
        finally:
            child.cancel_scope.cancel(reason="the daemon needs no simulator any more")


async def _run(  # noqa: ASYNC128 - hands task_status on
    task_status: trio.TaskStatus[trio.Process],
) -> None:
    await trio.run_process(  # audit: lost-outcome, because its end is what the caller waits for
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        check=False,
        task_status=task_status,
    )
    log.error("the provider simulator ended; model calls fail until the daemon is started again")


async def _origin(process: trio.Process) -> str:
    if process.stdout is None:
        raise ServiceUnavailableError("the provider simulator has no output")
    line = bytearray()
    with trio.move_on_after(_START_S):
        async for data in process.stdout:
            line += data
            if b"\n" in line:
                said = msgspec.json.decode(line.partition(b"\n")[0], type=dict[str, str])
                return said["simulator"]
    raise ServiceUnavailableError(
        "the provider simulator did not start; try `exai simulate` to see why"
    )
