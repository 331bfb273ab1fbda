"""`exai ask`: a question to a model, about what is piped in and the files that are named; the answer on stdout."""

import json
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from exai_trio import structs
from exai_trio.commands.calling import (
    key_value,
    last_conversation,
    output_file,
    question,
    shell_paths,
    started_daemon,
)
from exai_trio.commands.calling.failure_advice import Advise, advice, silent, tell_failure
from exai_trio.commands.calling.follow_call import Asked
from exai_trio.commands.calling.live_answer import LiveAnswer, sheet_for
from exai_trio.commands.calling.outcome_text import (
    Told,
    flat,
    flat_failure,
    notices,
    summary,
    told,
)
from exai_trio.commands.calling.piped_input import PipedInput
from exai_trio.commands.calling.run_call import run_call
from exai_trio.commands.client import Dial
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import StorageError
from exai_trio.transport.websocket import connect
from exai_trio.wire.messages import CallFailed

DONE, FAILED, INTERRUPTED = 0, 1, 130
_STDIN = 0


@structs.frozen(kw_only=True)
class Wanted:
    """How the answer is wanted. `starts`: a daemon may be started."""

    as_json: bool = False
    output: Path | None = None
    starts: bool = False
    advise: Advise = silent


def main(started: Started) -> int:
    arguments, config = started.arguments, started.loaded.config
    console = Console.of_process(started.environ, plain=arguments.plain)
    asked = _asked(arguments, config, console)
    wanted = Wanted(
        as_json=arguments.json,
        output=None if arguments.output is None else Path(arguments.output).expanduser().absolute(),
        starts=started_daemon.may_start(started.loaded),
        advise=partial(advice, words=started.words),
    )
    if wanted.output is not None:
        output_file.check(wanted.output, str(arguments.output))
    return trio.run(run, config, asked, wanted, console)


def _asked(arguments: Namespace, config: Config, console: Console) -> Asked:
    folder = key_value.whole(str(Path.cwd()), "the name of the working directory")
    named = question.found(arguments.files, folder)
    continuation_id = arguments.thread
    if arguments.go_on and not continuation_id:
        continuation_id = last_conversation.last(config.state)
    stdin = PipedInput(descriptor=_STDIN, note=console.note)
    piped = stdin.read(config.tool_call_max_size) if stdin.is_given() else None
    return Asked(
        tool="chat",
        arguments=question.arguments(
            question.joined(arguments.words, piped),
            named,
            model=arguments.model,
            continuation_id=continuation_id,
        ),
        timeout_s=arguments.timeout,
        roots=shell_paths.roots(folder, [*named[0], *named[1]]),
    )


async def run(
    config: Config, asked: Asked, wanted: Wanted, console: Console, *, dial: Dial = connect
) -> int:
    """The exit code. Raises Unreachable, PeerGone, ExaiError or OSError. Cancelling drops the connection."""
    began = trio.current_time()
    live = LiveAnswer(console, sheet_for(console))
    shows = not wanted.as_json and wanted.output is None
    running = partial(run_call, config, asked, live.show, stream=shows, dial=dial)
    with ExitStack() as otherwise:
        otherwise.callback(live.leave)
        ended = await started_daemon.with_daemon(running, config, console, starts=wanted.starts)
        if ended.outcome is not None:
            otherwise.pop_all()
    if ended.outcome is None:
        console.note(f"exai: stopped waiting; {ended.left_behind}")
        return INTERRUPTED
    told_in = _Report(wanted, console, live, trio.current_time() - began)
    code = (
        told_in.failed(ended.outcome)
        if isinstance(ended.outcome, CallFailed)
        else told_in.done(told(ended.outcome), config.state)
    )
    return INTERRUPTED if ended.interrupted and code else code


@structs.frozen(eq=False)
class _Report:
    """How a call that took so many seconds is told of."""

    wanted: Wanted
    console: Console
    live: LiveAnswer
    seconds: float

    def failed(self, outcome: CallFailed) -> int:
        self.live.leave()
        if self.wanted.as_json:
            self._say_json(flat_failure(outcome.error, self.seconds))
        else:
            tell_failure(self.console, "ask", outcome.error, self.wanted.advise)
        return FAILED

    def done(self, answer: Told, state: Path) -> int:
        if answer.continuation_id:
            last_conversation.keep(state, answer.continuation_id)
        code = self._written(answer)
        if code != DONE or self.wanted.output is None:
            self._say(answer)
        self.live.leave()
        if self.console.live:
            self._add_notes(answer)
        return code

    def _written(self, answer: Told) -> int:
        """Where the file cannot be written, the answer goes to stdout: it is paid for."""
        if self.wanted.output is None:
            return DONE
        text = json.dumps(flat(answer, self.seconds), ensure_ascii=False, indent=2)
        try:
            output_file.write(self.wanted.output, text if self.wanted.as_json else answer.content)
        except StorageError as fault:
            self.console.note(f"exai: {fault}; here is the answer")
            return FAILED
        return DONE

    def _say(self, answer: Told) -> None:
        if self.wanted.as_json:
            self._say_json(flat(answer, self.seconds))
        else:
            self.live.complete(answer.content)

    def _add_notes(self, answer: Told) -> None:
        if self.wanted.output is not None:
            self.console.note(f"— written to {self.wanted.output}")
        for line in notices(answer):
            self.console.note(line)
        self.console.note(
            summary(answer, self.seconds, self.console.columns(), how="exai ask -c '…'")
        )

    def _say_json(self, value: Mapping[str, Any]) -> None:
        self.console.erase()
        self.console.say_json(value)
