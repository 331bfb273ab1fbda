"""Scenarios of kill -9: the daemon with calls of an editor, the daemon with a client that knows what was accepted, the shim."""

import json
import os
import signal
from collections.abc import Collection, Iterable, Mapping, Sequence

import trio

from .caller import LOST, Caller
from .children import Child
from .editor import Editor
from .ondisk import database_size, journalled
from .trial import Asked, Trial, prompt
from .world import World, open_world

_SHORT_DAYS = {"EXAI_SESSION_GRACE_S": "2"}
_STREAM = "say=MARK reasoning=0 piece=1 drip=0.012"
_LONGEST_S = 0.15  # of a call, and from the first call to the kill


def _directives(trial: Trial) -> list[str]:
    """A call at once, one that streams, and two that take equally long: a kill finds them at different places."""
    delay = f"delay={trial.random.uniform(0, _LONGEST_S):.3f}"
    return ["", _STREAM, delay, delay]


async def kill_daemon(trial: Trial) -> None:
    """kill -9 of the daemon while calls of an editor run, at any moment; the next daemon is started at once."""
    async with open_world(forked=trial.forked) as world:
        daemon = await world.daemon()
        editor = await world.editor()
        await trial.hear(editor, [await trial.echo(editor)])
        for _ in trial.rounds():
            daemon = await _kill_cycle(trial, world, daemon, editor)
            _weigh_all(trial, world, daemon, editor)
        trial.hold(not await world.idle(), "the last daemon does not come to rest")


async def _kill_cycle(trial: Trial, world: World, daemon: Child, editor: Editor) -> Child:
    asked = [await trial.ask_one(editor, directive) for directive in _directives(trial)]
    await _wait_to_strike(trial, editor, asked)
    asked.append(await trial.ask_one(editor))
    await trio.sleep(trial.random.choice((0, 0.001, 0.003)))
    killed = trio.current_time()
    daemon.signal(signal.SIGKILL)
    trial.kills += 1
    answered = {one.mark: editor.has_answer(one.id) for one in asked}
    probe = await trial.echo(editor)
    await daemon.kill()
    journal = journalled(world.home)
    daemon = await world.daemon()
    serving = trio.current_time()
    await trial.hear(editor, [*asked, probe])
    _time(trial, probe, killed, serving)
    trial.must_succeed([*asked, probe])
    trial.judge(answered, journal, await trial.count(world))
    return daemon


async def _wait_to_strike(trial: Trial, editor: Editor, asked: Sequence[Asked]) -> None:
    """Any moment; or the one at which a call of the equal two is answered, for then the other's outcome is on its way."""
    if trial.random.random() < 0.6:
        await trio.sleep(trial.random.uniform(0, _LONGEST_S))
    else:
        await editor.wait_any([one.id for one in asked[-2:]])


def _time(trial: Trial, probe: Asked, killed: float, serving: float) -> None:
    if probe.answer is None or trial.forked:
        return
    trial.figure("kill to next answer, s", probe.answer.at - killed)
    trial.figure("daemon's start, s", serving - killed)
    trial.figure("listening to next answer, s", max(0.0, probe.answer.at - serving))


def _weigh_all(trial: Trial, world: World, daemon: Child, editor: Editor) -> None:
    trial.weigh("shim", editor.child.pid)
    trial.weigh("daemon", daemon.pid)
    trial.weigh("simulator", world.provider.child.pid)
    trial.weigh("this program", os.getpid())
    trial.weight("database, MiB", database_size(world.home) / 2**20)


async def kill_acks(trial: Trial) -> None:
    """The same with a client of the daemon's own protocol, which knows what was accepted, comes back and asks again."""
    async with open_world(forked=trial.forked) as world:
        daemon = await world.daemon()
        for _ in trial.rounds():
            daemon = await _kill_acks_cycle(trial, world, daemon)
            trial.weigh("daemon", daemon.pid)
            trial.weight("database, MiB", database_size(world.home) / 2**20)


async def _kill_acks_cycle(trial: Trial, world: World, daemon: Child) -> Child:
    caller = Caller()
    calls = {trial.mark(): directive for directive in (*_directives(trial), "")}
    await _talk_until_killed(trial, daemon, caller, calls, world.port)
    await daemon.kill()
    trial.kills += 1
    journal = journalled(world.home)
    answered = {mark: mark in caller.outcomes for mark in calls}
    acked = set(caller.accepted)
    forgotten = [mark for mark in acked if mark not in journal and not answered[mark]]
    trial.hold(not forgotten, f"acknowledged and not in the journal: {forgotten}")
    daemon = await world.daemon()
    await _come_back(trial, caller, calls, world.port)
    _heard_once(trial, caller, calls, acked)
    trial.judge(answered, journal, await trial.count(world))
    return daemon


async def _talk_until_killed(
    trial: Trial, daemon: Child, caller: Caller, calls: Mapping[str, str], port: int
) -> None:
    *early, last = calls
    try:
        async with caller.connected(port):
            for mark in early:
                await _chat(caller, mark, calls[mark])
            await trio.sleep(trial.random.uniform(0, _LONGEST_S))
            await _chat(caller, last, calls[last])
            await trio.sleep(trial.random.choice((0, 0.001, 0.003)))
            daemon.signal(signal.SIGKILL)
    except LOST:
        return


async def _chat(caller: Caller, mark: str, directive: str) -> None:
    arguments = {"prompt": prompt(mark, directive), "use_websearch": False}
    await caller.say("call_tool", request_id=mark, name="chat", arguments=arguments, stream=True)


async def _come_back(trial: Trial, caller: Caller, calls: Mapping[str, str], port: int) -> None:
    """Resume, wait for what was accepted; then ask for what was not. A session all of whose calls are answered and
    acknowledged may be forgotten."""
    owed = [mark for mark in caller.accepted if mark not in caller.outcomes]
    async with caller.connected(port):
        trial.hold(caller.resumed or not owed, f"the session was not resumed; owed: {owed}")
        for mark in owed:
            await caller.outcome(mark)
        for mark, directive in calls.items():
            if mark not in caller.accepted:
                await _chat(caller, mark, directive)
            await caller.outcome(mark)  # also of one whose acceptance came just now


def _heard_once(trial: Trial, caller: Caller, marks: Iterable[str], acked: Collection[str]) -> None:
    trial.hold(not caller.stale, f"{caller.stale} frames came twice")
    for mark in marks:
        found = caller.outcomes.get(mark, [])
        trial.accepted += 1
        trial.answered += bool(found)
        trial.hold(
            len(found) == 1, f"{mark} has {len(found)} outcomes (acknowledged: {mark in acked})"
        )
        for one in found:
            trial.hold(one["ok"], f"{mark} failed: {json.dumps(one)[:300]}")


async def kill_shim(trial: Trial) -> None:
    """kill -9 of the shim in the middle of calls: the next editor is served, and the calls of the dead one run once and end."""
    async with open_world(**_SHORT_DAYS) as world:
        daemon = await world.daemon()
        for _ in trial.rounds():
            editor = await world.editor()
            await trial.ask(editor, 3, "delay=0.1")
            await trio.sleep(trial.random.uniform(0, 0.3))
            await editor.child.kill()
            trial.kills += 1
            began = trio.current_time()
            editor = await world.editor()
            asked = await trial.ask(editor, 2)
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            trial.figure("kill to next answer, s", trio.current_time() - began)
            editor.child.signal(signal.SIGTERM)
            trial.hold(await editor.child.wait() == 0, "the shim did not end well")
            trial.hold(not await world.idle(), "calls of the dead shim's session do not end")
            await trial.count(world, most=1)
            trial.weigh("daemon", daemon.pid)
