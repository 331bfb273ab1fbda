"""What is asked when nothing goes wrong any more: answers come at once, and a withdrawal ends its call at once."""

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .story import Universe

PEACEFUL_CALLS = 20


async def ask_in_peace(universe: "Universe") -> None:
    """With nothing in its way an answer comes at once, also when nothing follows that would push it along."""
    universe.network.cut_all()  # what comes now is fair
    await trio.sleep(60)
    await _withdraw_in_peace(universe)
    for _ in range(PEACEFUL_CALLS):
        for _ in range(universe.draw.choice((1, 2, 3))):
            universe.window.ask_in_peace()
            for _ in range(universe.draw.randrange(16)):
                await trio.lowlevel.checkpoint()
        await trio.sleep(universe.draw.choice((0.0, 0.5)))
        universe.network.meanwhile = (
            universe.window.ask_in_peace
        )  # also with an acknowledgement that is on its way alone
        await trio.sleep(30)
        universe.network.meanwhile = None
        await trio.sleep(30)
        universe.oracle.check_all_answered()


async def _withdraw_in_peace(universe: "Universe") -> None:
    """With nothing in its way a withdrawal ends its call at once."""
    id_ = universe.window.ask("work", 30.0)
    await trio.sleep(5)
    mark = universe.window.withdraw(id_)
    await trio.sleep(1)
    if mark in universe.oracle.runs.now:
        universe.oracle.fail(f"{mark} runs on after it was withdrawn in peace")
