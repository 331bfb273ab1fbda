"""What is asked when nothing goes wrong any more: answers come at once, and a withdrawal ends its call at once."""

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .story import Universe

PEACEFUL_CALLS = 20
MANY = 9  # more than a session may have in flight: a call that ends makes room for the next


async def ask_in_peace(universe: "Universe", everything: trio.Nursery) -> None:
    """With nothing in its way an answer comes at once, also when nothing follows that would push it along."""
    universe.network.cut_all()  # what comes now is fair
    await trio.sleep(60)
    await _withdraw_in_peace(universe, universe.window.ask("work", 30.0))
    if universe.kind.is_durable:
        await _replace_in_peace(universe, everything)
    for _ in range(PEACEFUL_CALLS):
        for _ in range(universe.draw.choice((1, 2, 3, MANY))):
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


async def _withdraw_in_peace(universe: "Universe", id_: int) -> None:
    """With nothing in its way a withdrawal ends its call at once."""
    await trio.sleep(5)
    mark = universe.window.withdraw(id_)
    await trio.sleep(1)
    if mark in universe.oracle.runs.now:
        universe.oracle.fail(f"{mark} runs on after it was withdrawn in peace")


async def _replace_in_peace(universe: "Universe", everything: trio.Nursery) -> None:
    """What runs in a daemon that is replaced goes on there, can be withdrawn, and is answered when it ends."""
    kept, unwanted = (universe.window.ask("work", seconds) for seconds in (20.0, 60.0))
    await trio.sleep(1)
    await universe.begin(everything, universe.house.life)
    await _withdraw_in_peace(universe, unwanted)
    await trio.sleep(20)
    universe.oracle.check_all_answered()
    universe.oracle.check_ran_once(universe.window.key_of(kept))
    await trio.sleep(60)  # the daemon that was replaced has left
