"""Scenarios in which processes die: the daemon by kill and by signal, the shim, one daemon after another."""

import json
import signal

import trio

from .caller import LOST, Caller
from .children import Child
from .editor import Editor
from .report import percentile
from .trial import Asked, Trial
from .world import World, open_world

_SHORT_DAYS = {"EXAI_SESSION_GRACE_S": "2"}


async def kill_daemon(trial: Trial) -> None:
    """kill -9 of the daemon while calls of an editor run, at any moment; the next daemon is started at once."""
    async with open_world() as world:
        daemon = await world.daemon()
        editor = await world.editor()
        await trial.hear(editor, [await trial.echo(editor)])
        for _ in trial.rounds():
            daemon = await _kill_cycle(trial, world, daemon, editor)
        trial.hold(not await world.idle(), "the last daemon does not come to rest")


async def _kill_cycle(trial: Trial, world: World, daemon: Child, editor: Editor) -> Child:
    asked = await trial.ask(editor, 3, f"delay={trial.random.uniform(0, 0.2):.3f}")
    await trio.sleep(trial.random.uniform(0, 0.2))
    daemon.signal(signal.SIGKILL)
    killed = trio.current_time()
    probe = await trial.echo(editor)
    await daemon.wait()
    daemon = await world.daemon()
    serving = trio.current_time()
    asked.append(probe)
    await trial.hear(editor, asked)
    if probe.answer is not None:
        trial.figure("kill to next answer, s", probe.answer.at - killed)
        trial.figure("daemon's start, s", serving - killed)
        trial.figure("listening to next answer, s", max(0.0, probe.answer.at - serving))
    trial.must_succeed(asked)
    await trial.count(world)
    trial.weigh("shim", editor.child.pid)
    trial.weigh("daemon", daemon.pid)
    return daemon


async def kill_acks(trial: Trial) -> None:
    """The same with a client of the daemon's own protocol, which knows what was accepted, comes back and asks again."""
    async with open_world() as world:
        daemon = await world.daemon()
        for _ in trial.rounds():
            caller, marks = Caller(), [trial.mark() for _ in range(5)]
            await _talk_until_killed(trial, world, daemon, caller, marks)
            await daemon.wait()
            heard = {mark: list(found) for mark, found in caller.outcomes.items()}
            acked = set(caller.accepted)
            daemon = await world.daemon()
            await _come_back(trial, world, caller, marks)
            _judge(trial, caller, marks, acked, heard)
            keys: dict[str, set[str]] = {}
            for visit in await trial.count(world):
                keys.setdefault(visit.mark, set()).add(visit.key)
            for mark, used in keys.items():
                trial.hold(len(used) == 1, f"{mark} under several keys: {sorted(used)}")


async def _talk_until_killed(
    trial: Trial, world: World, daemon: Child, caller: Caller, marks: list[str]
) -> None:
    try:
        async with caller.connected(world.port):
            for mark in marks:
                delay = trial.random.uniform(0, 0.15)
                await caller.call(mark, "chat", **_chat(mark, f"delay={delay:.3f}"))
            await trio.sleep(trial.random.uniform(0, 0.2))
            daemon.signal(signal.SIGKILL)
    except LOST:
        return


def _chat(mark: str, directive: str) -> dict[str, object]:
    return {"prompt": f"{mark} [[simulate: {directive}]]", "use_websearch": False}


async def _come_back(trial: Trial, world: World, caller: Caller, marks: list[str]) -> None:
    """Resume, wait for what was accepted; then ask for what was not, and once more for one that was answered."""
    async with caller.connected(world.port):
        for mark in marks:
            if mark in caller.accepted:
                await caller.outcome(mark)
        trial.hold(caller.resumed or not caller.accepted, "the session was not resumed")
        for mark in marks:
            if mark not in caller.accepted:
                await caller.call(mark, "chat", **_chat(mark, "delay=0"))
                await caller.outcome(mark)


def _judge(
    trial: Trial,
    caller: Caller,
    marks: list[str],
    acked: set[str],
    heard: dict[str, list[dict[str, object]]],
) -> None:
    trial.hold(not caller.stale, f"{caller.stale} frames came twice")
    for mark in marks:
        found = caller.outcomes.get(mark, [])
        trial.accepted += 1
        trial.answered += bool(found)
        trial.hold(len(found) == 1, f"{mark} has {len(found)} outcomes (acknowledged: {mark in acked}, before the kill: {len(heard.get(mark, []))})")  # fmt: skip
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


async def sigterm(trial: Trial) -> None:
    """SIGTERM under load, the next daemon after it: drained with exit 0, no call fails."""
    async with open_world() as world:
        daemon = await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            asked: list[Asked] = []
            async with trio.open_nursery() as load:
                load.start_soon(flow, trial, editor, asked, 50.0)
                await trio.sleep(trial.random.uniform(0.2, 0.6))
                daemon.signal(signal.SIGTERM)
                began = trio.current_time()
                code = await daemon.wait(15)
                trial.figure("drain, s", trio.current_time() - began)
                trial.hold(code == 0, f"the daemon left with {code}: {daemon.complained()}")
                daemon = await world.daemon()
                await trio.sleep(0.2)
                load.cancel_scope.cancel()
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            await trial.count(world)


async def flow(trial: Trial, editor: Editor, asked: list[Asked], per_second: float) -> None:
    """Calls at this rate until cancelled; every fifth asks the provider."""
    while True:
        await trio.sleep(1 / per_second)
        with trio.CancelScope(shield=True):
            if len(asked) % 5:
                asked.append(await trial.echo(editor, delay_ms=20))
            else:
                asked += await trial.ask(editor, 1, "delay=0.05")


async def drain_long(trial: Trial) -> None:
    """SIGTERM while a call of a minute runs: exit 0 in less than 8 seconds, and the next daemon goes on with the call."""
    async with open_world() as world:
        for _ in trial.rounds():
            daemon = await world.daemon()
            editor = await world.editor()
            await trial.hear(editor, [await trial.echo(editor)])
            long = await trial.echo(editor, delay_ms=60_000)
            await trio.sleep(0.2)
            daemon.signal(signal.SIGTERM)
            began = trio.current_time()
            code = await daemon.wait(20)
            took = trio.current_time() - began
            trial.figure("drain, s", took)
            trial.hold(code == 0 and took < 8, f"exit {code} after {took:.1f} s")
            daemon = await world.daemon()
            trial.hold(await editor.answer(long.id, 1.0) is None, "the long call was given up")
            await trial.hear(editor, [await trial.echo(editor)])
            await editor.child.kill()
            await daemon.kill()


async def two_daemons(trial: Trial) -> None:
    """A second daemon for the same home, and one for the same port: refused in one line while the first one's calls go on."""
    async with open_world() as world:
        await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            asked = await trial.ask(editor, 4, "delay=0.3")
            changed = trial.random.choice(
                [{"EXAI_WS_PORT": 0}, {"EXAI_HOME": world.home / "other"}]
            )
            second = await world.daemon(ready=False, **changed)
            code = await second.wait()
            trial.hold(code == 1, f"the second daemon ended with {code}")
            said = second.complained()
            trial.hold(said.count("\n") == 1, f"the second daemon said {said!r}")
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            await trial.count(world, most=1)


async def rolling(trial: Trial) -> None:
    """`exai serve --replace` under 50 calls a second: no call fails, and none takes much longer than usual."""
    async with open_world() as world:
        daemon = await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            asked: list[Asked] = []
            async with trio.open_nursery() as load:
                load.start_soon(flow, trial, editor, asked, 50.0)
                await trio.sleep(trial.random.uniform(0.3, 0.6))
                quiet = len(asked)
                began = trio.current_time()
                successor = await world.daemon("--replace")
                trial.figure("start to serving, s", trio.current_time() - began)
                code = await daemon.wait(15)
                trial.hold(code == 0, f"the old daemon left with {code}: {daemon.complained()}")
                daemon = successor
                await trio.sleep(0.3)
                load.cancel_scope.cancel()
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            took = [one.answer.at - one.at for one in asked if one.answer]
            usual = percentile(took[:quiet], 0.5)
            for seconds in took[quiet:]:
                trial.figure("added to calls during the restart, s", max(0.0, seconds - usual))
            await trial.count(world)
            trial.weigh("daemon", daemon.pid)
