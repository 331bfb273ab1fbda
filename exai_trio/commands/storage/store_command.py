"""`exai storage check | copy | migrate | status | push | retry`: the store looked at and looked after, here and at Supabase.

What an action finds is given back as plain data and lines; printing is done here.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.storage import check_home, copy_store, hosted_actions, store_status
from exai_trio.commands.storage.asked import Asked, Told
from exai_trio.errors import ExaiError
from exai_trio.system.exception_groups import first_of

Action = Callable[[Asked], Awaitable[Told]]
ACTIONS: Final[dict[str, Action]] = {
    "check": check_home.check,
    "copy": copy_store.copy,
    "migrate": hosted_actions.migrate,
    "status": store_status.status,
    "push": hosted_actions.push,
    "retry": hosted_actions.retry,
}


def main(started: Started) -> int:
    console = Console.of_process(started.environ)
    arguments = started.arguments
    full = bool(getattr(arguments, "full", False))
    asked = Asked(config=started.loaded.config, full=full)
    running = partial(run, as_json=bool(arguments.json))
    return trio.run(running, arguments.action, asked, console)


async def run(action: str, asked: Asked, console: Console, *, as_json: bool) -> int:
    """The exit code. Raises ExaiError."""
    fault: ExaiError | None = None
    told = Told(data={})
    try:
        told = await ACTIONS[action](asked)
    except* ExaiError as raised:
        fault = first_of(raised)
    if fault is not None:
        raise fault
    if as_json:
        console.say_json(told.data)
    else:
        console.tell("\n".join(told.lines))
    return told.code
