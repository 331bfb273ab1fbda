"""`exai call`: one tool call, its progress shown, its answer on stdout."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import trio

from exai_trio.commands.calling import key_value, shell_paths
from exai_trio.commands.calling.failure_advice import Advise, advice, silent, tell_failure
from exai_trio.commands.calling.follow_call import Asked, Outcome
from exai_trio.commands.calling.live_answer import LiveAnswer, PlainSheet, sheet_for
from exai_trio.commands.calling.outcome_text import notices, summary, told
from exai_trio.commands.calling.run_call import run_call
from exai_trio.commands.client import Dial
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.transport.websocket import connect
from exai_trio.wire.messages import CallFailed, CallResult

DONE, FAILED, INTERRUPTED = 0, 1, 130
# Whose pieces are just what the answer's content is. Off a terminal no other tool's are shown: programs read their answers.
_FLOWING = frozenset({"chat"})


def main(started: Started) -> int:
    arguments = started.arguments
    folder = key_value.whole(str(Path.cwd()), "the name of the working directory")
    pairs = key_value.split(arguments.words, _read)
    named = [
        shell_paths.whole_path(text, folder) for key, text in pairs if key in shell_paths.PATHS
    ]
    asked = Asked(
        tool=arguments.tool,
        pairs=pairs,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        folder=folder,
        roots=shell_paths.roots(folder, named),
    )
    console = Console.of_process(started.environ, plain=arguments.plain)
    running = partial(run, advise=partial(advice, words=started.words))
    return trio.run(running, started.loaded.config, asked, console)


def _read(path: str) -> str:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes()
    return data.decode()


async def run(
    config: Config,
    asked: Asked,
    console: Console,
    *,
    advise: Advise = silent,
    dial: Dial = connect,
) -> int:
    """The exit code. Raises Unreachable, PeerGone, ExaiError or OSError. Cancelling drops the connection."""
    began = trio.current_time()
    is_flowing = asked.tool in _FLOWING
    live = LiveAnswer(console, sheet_for(console) if is_flowing else PlainSheet(console))
    stream = not asked.as_json and (console.screen or is_flowing)
    with ExitStack() as otherwise:
        otherwise.callback(live.leave)
        ended = await run_call(config, asked, live.show, stream=stream, dial=dial)
        if isinstance(ended.outcome, CallResult) or (ended.outcome and asked.as_json):
            otherwise.pop_all()
    if ended.outcome is None:
        console.note(f"exai: stopped waiting; {ended.left_behind}")
        return INTERRUPTED
    if isinstance(ended.outcome, CallFailed) and not asked.as_json:
        tell_failure(console, asked.tool, ended.outcome.error, advise)
        return INTERRUPTED if ended.interrupted else FAILED
    code = _report(ended.outcome, asked, console, live, trio.current_time() - began)
    return INTERRUPTED if ended.interrupted and code else code


def _report(
    outcome: Outcome, asked: Asked, console: Console, live: LiveAnswer, seconds: float
) -> int:
    if asked.as_json or isinstance(outcome, CallFailed):
        console.erase()
        console.say_json(msgspec.to_builtins(outcome))
        return DONE if isinstance(outcome, CallResult) else FAILED
    answer = told(outcome)
    if answer.envelope or not live.has_begun:
        live.complete(answer.content)
    live.leave()
    if console.live:
        for line in notices(answer):
            console.note(line)
        how = f"continuation_id={answer.continuation_id}"
        console.note(summary(answer, seconds, console.columns(), how=how))
    return DONE
