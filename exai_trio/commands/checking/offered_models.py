"""`exai models`: the models that can be asked now, as the daemon lists them."""

from argparse import Namespace
from functools import partial

import trio

from exai_trio.commands.calling import started_daemon
from exai_trio.commands.calling.follow_call import Asked
from exai_trio.commands.calling.outcome_text import failure, told
from exai_trio.commands.calling.run_call import run_call
from exai_trio.commands.client import Dial
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.transport.websocket import connect
from exai_trio.wire.messages import CallFailed

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(started: Started) -> int:
    console = Console.of_process(started.environ)
    starts = started_daemon.may_start(started.loaded)
    return trio.run(run, started.loaded.config, started.arguments, console, starts)


async def run(
    config: Config,
    arguments: Namespace,
    console: Console,
    starts: bool = False,  # noqa: FBT001, FBT002  # trio.run has no keywords
    dial: Dial = connect,
) -> int:
    """The exit code. Raises Unreachable, PeerGone or ExaiError."""
    given = {"model": arguments.model} if arguments.model else {}
    asked = Asked(tool="listmodels", arguments=given)
    running = partial(run_call, config, asked, stream=False, dial=dial)
    ended = await started_daemon.with_daemon(running, config, console, starts=starts)
    console.erase()
    if ended.outcome is None:
        return INTERRUPTED
    if isinstance(ended.outcome, CallFailed):
        console.note(failure("models", ended.outcome.error))
        return FAILED
    answer = told(ended.outcome)
    if arguments.json:
        console.say_json(answer.metadata.get("models", []))
    else:
        console.tell(answer.content)
    return DONE
