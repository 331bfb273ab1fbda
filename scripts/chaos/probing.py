"""A scenario of what an editor feels: it asks each second, while its daemon is killed and replaced."""

from collections.abc import Awaitable, Callable

import trio

from .children import Child
from .editor import Editor
from .trial import Asked, Trial
from .world import World, open_world

_EVERY_S = 1.0
_KILLS, _REPLACEMENTS = 10, 2
_BETWEEN_S = (2.0, 6.0)  # from one end of a daemon to the next


async def probed(trial: Trial) -> None:
    """A call each second through ten kill -9 and two --replace, in any order: all are answered, and soon."""
    async with open_world() as world:
        daemon = await world.daemon()
        editor = await world.editor()
        await trial.hear(editor, [await trial.echo(editor)])
        for _ in trial.rounds():
            asked: list[Asked] = []
            async with trio.open_nursery() as probing:
                probing.start_soon(_probe, trial, editor, asked)
                daemon = await _through_all(trial, world, daemon)
                probing.cancel_scope.cancel()
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            for one in asked:
                if one.answer is not None:
                    trial.figure("probe to its answer, s", one.answer.at - one.at)


async def _through_all(trial: Trial, world: World, daemon: Child) -> Child:
    ends: list[Callable[[Trial, World, Child], Awaitable[Child]]] = [_killed] * _KILLS
    ends += [_replaced] * _REPLACEMENTS
    trial.random.shuffle(ends)
    for end in ends:
        await trio.sleep(trial.random.uniform(*_BETWEEN_S))
        daemon = await end(trial, world, daemon)
    await trio.sleep(_BETWEEN_S[0])
    return daemon


async def _killed(trial: Trial, world: World, daemon: Child) -> Child:
    trial.kills += 1
    await daemon.kill()
    return await world.daemon()


async def _replaced(trial: Trial, world: World, daemon: Child) -> Child:
    successor = await world.daemon("--replace")
    code = await daemon.wait(15)
    trial.hold(code == 0, f"the old daemon left with {code}: {daemon.complained()}")
    return successor


async def _probe(trial: Trial, editor: Editor, asked: list[Asked]) -> None:
    """Until cancelled; a call that is being asked is asked whole."""
    began = trio.current_time()
    while True:
        with trio.CancelScope(shield=True):
            asked.append(await trial.echo(editor))
        await trio.sleep_until(began + len(asked) * _EVERY_S)
