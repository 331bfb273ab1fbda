"""The tools of the simulation: each takes its time, and is told of when it begins and ends."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable

import attrs
import trio

from exai_trio.errors import OverCapacityError, ToolFailedError
from exai_trio.tools.base import Answer, Tool

_FAULTS = {
    "bug": ZeroDivisionError("a bug"),
    "tool": ToolFailedError("it could not be done"),
    "room": OverCapacityError("there is no room", retry_after_s=7.0),
}


@attrs.frozen(kw_only=True)
class WorkArguments:
    """`mark` names a call that the oracle knows, `tag` another one; `chunks` are said meanwhile, `fails` is how it ends."""

    seconds: float = 0.0
    mark: str = ""
    size: int = 0
    tag: str = ""
    chunks: int = 0
    fails: str = ""


@attrs.define(eq=False)
class Workshop:
    """Where tools run. `began` and `ended` are told of each run of a marked call; `runs` and `now` count those of tagged ones."""

    began: Callable[[str, object], int]
    ended: Callable[[str, int], None]
    runs: Counter = attrs.field(factory=Counter)
    now: Counter = attrs.field(factory=Counter)

    async def run(self, arguments, caller, _services) -> Answer:
        number, tag = self.began(arguments.mark, caller), arguments.tag
        self.runs[tag] += 1
        self.now[tag] += 1
        try:
            return await self._answer(arguments, caller)
        finally:
            self.now[tag] -= 1
            self.ended(arguments.mark, number)

    async def _answer(self, arguments, caller) -> Answer:
        caller.stage("thinking", "hard")
        for index in range(arguments.chunks):
            await trio.sleep(arguments.seconds / arguments.chunks)
            caller.stage("writing", f"piece {index}")
            caller.chunk(f"piece {index}")
        await trio.sleep(0 if arguments.chunks else arguments.seconds)
        if arguments.fails:
            raise _FAULTS[arguments.fails]
        text, size = f"done {arguments.mark or arguments.tag}", arguments.size
        more = "x" * size if arguments.mark else noise(arguments.tag, size)
        return Answer(text=f"{text} {more}" if size else text)


def noise(tag: str, size: int) -> str:
    """What cannot be made much shorter, the same for the same tag."""
    return random.Random(tag).randbytes(size // 2).hex()


def tool(name: str, run: Callable[..., Awaitable[Answer]], *, repeatable: bool) -> Tool:
    """One that takes some time."""
    return Tool(
        name=name,
        description="Take some time.",
        arguments=WorkArguments,
        run=run,
        repeatable=repeatable,
        visibility="essential",
        output_schema=None,
    )
