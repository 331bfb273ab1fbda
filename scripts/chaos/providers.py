"""Scenarios of a provider that misbehaves: every call is answered once, in time, and no permit is lost."""

import trio

from .trial import Trial
from .world import open_world

# `times=1`: only the first attempt goes wrong, so the call must succeed. Without it a typed failure is right as well.
_HARMS = {
    "provider-hang": ("hang", "hang=2", "delay=1000"),
    "provider-drip": ("drip=0.02", "drip=0.03", "drip=0.01 piece=9"),
    "provider-cut": ("times=1 drop", "times=1 cut_after=1", "cut_after=2", "drop"),
    "provider-429": (
        "times=1 status=429",
        "times=1 status=429 retry_after=0.2",
        "status=429",
    ),
    "provider-500": ("times=1 status=500", "times=1 status=503", "status=500"),
    "provider-garbage": ("times=1 html", "times=1 broken_json", "empty", "no_choices", "html"),
}
_PATIENCE = {
    "GLM_TIMEOUT_SECS": "1",
    "GLM_STREAM_TIMEOUT": "2",
    "EXAI_STREAM_IDLE_S": "1",
    "SIMPLE_TOOL_TIMEOUT_SECS": "8",
}
# Answers that come whole with something odd beside them: each is paid for once.
_ODD = (
    "usage=choice",
    "usage=none",
    "no_done",
    "think_tags reasoning=5",
    "comments",
    "piece=1",
    "comments piece=3 usage=choice",
    "no_done usage=none piece=2",
)
_MOST_REQUESTS = 6  # of one run, whatever the provider does


def names() -> tuple[str, ...]:
    return tuple(_HARMS)


async def provider(trial: Trial) -> None:
    """The provider misbehaves as the scenario's name says."""
    async with open_world(**_PATIENCE) as world:
        await world.daemon()
        editor = await world.editor()
        await trial.hear(editor, [await trial.echo(editor)])
        for _ in trial.rounds():
            harms = _HARMS[trial.name]
            asked = [(await trial.ask(editor, 1, harm))[0] for harm in harms]
            sound = await trial.ask(editor, 2)
            began = trio.current_time()
            await trial.hear(editor, [*sound, *asked])
            trial.figure("all answered, s", trio.current_time() - began)
            trial.must_succeed(sound)
            trial.must_succeed(one for one, harm in zip(asked, harms, strict=True) if _mends(harm))
            trial.hold(not (busy := await world.idle()), f"not at rest: {busy}")
            visits = await trial.count(world, most=_MOST_REQUESTS)
            done = [visit.mark for visit in visits if visit.complete and visit.status == 200]
            again = [one.mark for one in sound if done.count(one.mark) > 1]
            trial.hold(not again, f"carried out again after a good answer: {again}")


async def odd(trial: Trial) -> None:
    """The provider's answers are whole and odd: none is asked for again."""
    async with open_world(**_PATIENCE) as world:
        await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            asked = [(await trial.ask(editor, 1, shape))[0] for shape in _ODD]
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            visits = [visit.mark for visit in await trial.count(world)]
            for one in asked:
                trial.figure("requests for a finished answer", visits.count(one.mark))


def _mends(harm: str) -> bool:
    return "times=1" in harm or "drip" in harm
