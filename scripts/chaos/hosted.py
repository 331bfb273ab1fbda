"""Scenario of a Supabase that goes away under calls, is not there at a start, and comes back: real PostgreSQL and PostgREST, our gateway."""

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import trio

from .children import Child
from .editor import Editor
from .trial import Asked, Trial
from .world import World, open_world

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "storage"))

_A_SECOND = 20  # calls
_LONG_S, _SHORT_S = 60.0, 0.5  # that it is away: once in a run of many cycles, and else
_MANY = 100  # cycles, or calls
_CAUGHT_UP_S = 35.0
_KINDS: tuple[dict[str, Any], ...] = (
    {"status": 503},
    {"black_hole": True},
    {"cut": 0},
    {"cut_request": True},
    {"status": 429, "retry_after": "1"},
)


def no_supabase() -> str:
    """Why none can be started here; "" if it can."""
    from hosted.stage import the_stage  # only where it is played

    stage, reason = the_stage()
    if stage is not None:
        stage.close()
    return reason


async def supabase_away(trial: Trial) -> None:
    """Supabase is away under 20 calls a second, in five ways, and at every other start; no call is refused, each exchange is there once."""
    from hosted.stage import the_stage  # only where it is played

    stage, reason = the_stage()
    trial.hold(stage, reason)
    if stage is None:
        return
    try:
        async with open_world(forked=trial.forked) as world, stage.open_gateway() as gateway:
            world.settings |= {
                "STORAGE_BACKEND": "supabase",
                "SUPABASE_URL": gateway.url,
                "SUPABASE_KEY": gateway.key,
            }
            daemon = await world.daemon()
            editor = await world.editor()
            stage.empty()
            for _ in trial.rounds():
                daemon = await _cycle(trial, world, daemon, editor, stage, gateway)
                trial.weigh("daemon", daemon.pid)
    finally:
        stage.close()


async def _cycle(  # noqa: PLR0917  # what one cycle has to do with
    trial: Trial, world: World, daemon: Child, editor: Editor, stage: Any, gateway: Any
) -> Child:
    before = _kept(stage).total()
    calm = [await trial.ask_one(editor) for _ in range(5)]
    await trial.hear(editor, calm)
    gateway.break_all(**trial.random.choice(_KINDS))
    if trial.done % 2 == 0:
        daemon.signal(signal.SIGKILL)
        await daemon.kill()
        trial.kills += 1
        daemon = await world.daemon()
    away = await _under_load(trial, world, editor)
    gateway.mend()
    back_at = trio.current_time()
    with trio.move_on_after(2 * _CAUGHT_UP_S):
        await trio.lowlevel.checkpoint()
        while _kept(stage).total() < before + 2 * len(calm + away):  # noqa: ASYNC110  # another process's
            await trio.sleep(0.1)
    trial.figure("caught up, s", trio.current_time() - back_at)
    _judge(trial, calm + away, stage, before)
    await trial.count(world)
    return daemon


async def _under_load(trial: Trial, world: World, editor: Editor) -> list[Asked]:
    """All answered, without a fault. In parts: the provider's log forgets."""
    is_long = trial.cycles >= _MANY and trial.done == _MANY
    left = int(_A_SECOND * (_LONG_S if is_long else _SHORT_S))
    asked: list[Asked] = []
    while left:
        part = await _at_a_rate(trial, editor, min(left, _MANY))
        await world.provider.keep_visits()
        left -= len(part)
        asked += part
    trial.must_succeed(asked)
    for one in asked:
        if one.answer is not None:
            trial.figure("call while away, s", one.answer.at - one.at)
    return asked


async def _at_a_rate(trial: Trial, editor: Editor, count: int) -> list[Asked]:
    asked: list[Asked] = []
    for _ in range(count):
        asked.append(await trial.ask_one(editor))
        await trio.sleep(1 / _A_SECOND)
    await trial.hear(editor, asked)
    return asked


def _judge(trial: Trial, asked: list[Asked], stage: Any, before: int) -> None:
    """Each exchange once, the question before the answer; and of those `before` no message came again, which may be on its way still."""
    kept = _kept(stage)
    for one in asked:
        trial.hold(kept[one.mark] == 2, f"{one.mark} has {kept[one.mark]} messages at Supabase")
    more = kept.total() - before
    trial.hold(more == 2 * len(asked), f"{more} messages for {len(asked)} calls")
    roles = stage.execute("select number, role from messages group by number, role order by number")
    trial.hold(roles == [(1, "user"), (2, "assistant")], f"another order: {roles}")


def _kept(stage: Any) -> Counter[str]:
    """Messages by the mark of their call."""
    rows = stage.execute(
        "select (select q.content from messages q where q.conversation_id = m.conversation_id and q.number = 1) from messages m"
    )
    return Counter(str(content) for (content,) in rows)
