"""Scenarios in which a daemon leaves as asked, or is not let in: SIGTERM, a long drain, a successor, a second daemon."""

import signal
from collections.abc import Sequence

import attrs
import trio

from .editor import Editor
from .goals import percentile
from .trial import Asked, Trial
from .world import open_world

_PER_SECOND = 50.0
_RUNS_WHILE_REPLACED = 1  # of one call: it ends in the old daemon


@attrs.define
class Flow:
    """Calls at a rate: echoes, and every fifth a chat, whose time is another."""

    echoes: list[Asked] = attrs.field(factory=list)
    chats: list[Asked] = attrs.field(factory=list)

    @property
    def asked(self) -> list[Asked]:
        return [*self.echoes, *self.chats]

    async def run(self, trial: Trial, editor: Editor) -> None:
        """Until cancelled; a call that is being asked is asked whole."""
        began, count = trio.current_time(), 0
        while True:
            count += 1
            await trio.sleep_until(began + count / _PER_SECOND)
            with trio.CancelScope(shield=True):
                if count % 5:
                    self.echoes.append(await trial.echo(editor, delay_ms=20))
                else:
                    self.chats.append(await trial.ask_one(editor, "delay=0.05"))


async def sigterm(trial: Trial) -> None:
    """SIGTERM under load, the next daemon after it: drained with exit 0, no call fails."""
    async with open_world() as world:
        daemon = await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            flow = Flow()
            async with trio.open_nursery() as load:
                load.start_soon(flow.run, trial, editor)
                await trio.sleep(trial.random.uniform(0.2, 0.6))
                daemon.signal(signal.SIGTERM)
                began = trio.current_time()
                code = await daemon.wait(15)
                trial.figure("drain, s", trio.current_time() - began)
                trial.hold(code == 0, f"the daemon left with {code}: {daemon.complained()}")
                daemon = await world.daemon()
                await trio.sleep(0.2)
                load.cancel_scope.cancel()
            await trial.hear(editor, flow.asked)
            trial.must_succeed(flow.asked)
            await trial.count(world)


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
            trial.figure("drain, s", trio.current_time() - began)
            trial.hold(code == 0, f"the daemon left with {code}")
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
        await trial.hear(editor, [await trial.ask_one(editor)])  # loads the providers' library
        await trial.count(world)
        for _ in trial.rounds():
            flow = Flow()
            async with trio.open_nursery() as load:
                load.start_soon(flow.run, trial, editor)
                await trio.sleep(trial.random.uniform(0.3, 0.6))
                asked_at = trio.current_time()
                successor = await world.daemon("--replace")
                trial.figure("start to serving, s", trio.current_time() - asked_at)
                code = await daemon.wait(15)
                trial.hold(code == 0, f"the old daemon left with {code}: {daemon.complained()}")
                daemon = successor
                await trio.sleep(0.3)
                load.cancel_scope.cancel()
            await trial.hear(editor, flow.asked)
            trial.must_succeed(flow.asked)
            for kind in (flow.echoes, flow.chats):
                added_since(trial, kind, asked_at)
            await trial.count(world, most=_RUNS_WHILE_REPLACED)
            trial.weigh("daemon", daemon.pid)


def added_since(trial: Trial, calls: Sequence[Asked], since: float) -> None:
    """How much longer calls took from this moment on than calls like them before."""
    before = [one.answer.at - one.at for one in calls if one.answer and one.answer.at < since]
    usual = percentile(before, 0.5) if before else 0.0
    for one in calls:
        if one.answer and one.answer.at >= since:
            added = max(0.0, one.answer.at - one.at - usual)
            trial.figure("added to calls during the restart, s", added)
