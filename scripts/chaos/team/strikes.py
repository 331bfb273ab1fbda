"""Scenarios of a team that loses a daemon, a machine, or its database: every call is answered once, whoever runs it."""

import signal
from collections.abc import AsyncGenerator, Callable, Iterable, Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from ..trial import Trial
from .client import ReturningClient
from .members import Team, clients_of, open_team

Strike = Callable[[Trial, Team, int], AbstractAsyncContextManager[None]]

_CLIENTS = 4
_SHORT_S, _LONG_S = 0.5, 8.0  # a call: most, and one in four, which outlasts a lease
_BEYOND_LEASE_S = 8.0
_AWAY_S = 30.0
_MANY = 10  # cycles: from so many on the database is away for all of that
_HEARD_S = 90.0


async def team_kill(trial: Trial) -> None:
    """kill -9 of one of two daemons on one PostgreSQL: it is started again at once, or its calls are answered by the other."""
    await _play(trial, _kill, most=2)


async def team_freeze(trial: Trial) -> None:
    """SIGSTOP of one of two daemons, as of a dead machine, for longer than its lease; then SIGCONT: the fenced one does no harm."""
    await _play(trial, _freeze, most=2)


async def team_cut(trial: Trial) -> None:
    """One of two daemons is cut from the database for longer than its lease, and runs on."""
    await _play(trial, _cut, most=2)


async def team_restart(trial: Trial) -> None:
    """The database of two daemons is killed, or told to stop, and started again at once: no call is lost, none runs twice."""
    await _play(trial, _restart_database, most=1)


async def team_away(trial: Trial) -> None:
    """The database of two daemons is away, 30 s in a run of many cycles: no call is lost, none is claimed by the other."""
    await _play(trial, _stop_database, most=1)


async def _play(trial: Trial, strike: Strike, most: int) -> None:
    async with open_team(trial) as team, clients_of(team, _CLIENTS) as clients:
        await team.whole()
        for _ in trial.rounds():
            await _cycle(trial, team, clients, strike, most)
            for number, daemon in enumerate(team.daemons):
                trial.weigh(f"daemon {number}", daemon.pid if daemon else 0)


async def _cycle(
    trial: Trial, team: Team, clients: list[ReturningClient], strike: Strike, most: int
) -> None:
    await _ask_all(trial, clients)
    await trio.sleep(trial.random.uniform(0.05, _SHORT_S))
    victim = await team.owner(trial.random.choice(clients))
    struck = [one for one in clients if await team.owner(one) == victim]
    risked = await team.executed_by(victim)
    at = trio.current_time()
    async with strike(trial, team, victim):
        await hear_all(trial, clients, _HEARD_S)
        _time(trial, struck, at)
    await team.whole()
    await judge(trial, team, clients, risked, most)


async def _ask_all(trial: Trial, clients: Iterable[ReturningClient]) -> None:
    """Half of the clients come by a new connection, which is that of the daemon with fewer."""
    for one in clients:
        if trial.random.random() < 0.5:
            one.leave()
        for _ in range(2):
            is_long = trial.random.random() < 0.25
            own_s = _LONG_S if is_long else trial.random.uniform(0, _SHORT_S)
            await one.ask(trial.mark(), own_s)
    with trio.fail_after(_HEARD_S):
        await trio.lowlevel.checkpoint()
        for one in clients:
            await one.wait_accepted()


async def hear_all(trial: Trial, clients: Iterable[ReturningClient], within: float) -> None:
    async with trio.open_nursery() as hearing:
        for one in clients:
            hearing.start_soon(one.hear, trial, within)


def _time(trial: Trial, struck: Iterable[ReturningClient], at: float) -> None:
    for one in struck:
        back = [moment for moment in one.greeted if moment >= at]
        if back:
            trial.figure("struck to the next hello_ack, s", back[0] - at)
        for mark, heard in one.heard.items():
            beyond = heard - at - one.own_s[mark]
            if beyond > 0:
                trial.figure("struck to answered, beyond the call's own time, s", beyond)


async def judge(
    trial: Trial,
    team: Team,
    clients: Iterable[ReturningClient],
    risked: AbstractSet[str],
    most: int,
) -> None:
    """Nothing is open in the database, what was not `risked` ran once, and nothing was answered twice."""
    unended = await team.settled()
    trial.hold(not unended, f"calls have no outcome in the database: {unended}")
    ran: dict[str, int] = {}
    for visit in await trial.count(team.worlds[0], most=most):
        ran[visit.mark] = ran.get(visit.mark, 0) + 1
    twice = [mark for mark, times in ran.items() if times > 1 and mark not in risked]
    trial.hold(not twice, f"ran twice though their daemon lived and was in touch: {twice}")
    for one in clients:
        one.settle(trial)


@asynccontextmanager
async def _kill(trial: Trial, team: Team, victim: int) -> AsyncGenerator[None]:
    await team.kill(victim)
    trial.kills += 1
    if trial.random.random() < 0.5:
        await team.start(victim)
    yield


@asynccontextmanager
async def _freeze(trial: Trial, team: Team, victim: int) -> AsyncGenerator[None]:
    team.signal(victim, signal.SIGSTOP)
    trial.kills += 1
    began = trio.current_time()
    try:
        yield
        await trio.sleep_until(began + _BEYOND_LEASE_S)
    finally:
        team.signal(victim, signal.SIGCONT)


@asynccontextmanager
async def _cut(_trial: Trial, team: Team, victim: int) -> AsyncGenerator[None]:
    way = team.ways[victim]
    way.dropping = True
    way.cut()

    async def mend() -> None:
        await trio.sleep(_BEYOND_LEASE_S)
        way.dropping = False

    async with trio.open_nursery() as mending:
        mending.start_soon(mend)
        yield


@asynccontextmanager
async def _restart_database(trial: Trial, team: Team, _victim: int) -> AsyncGenerator[None]:
    kind = trial.random.choice((signal.SIGKILL, signal.SIGINT))
    await trio.to_thread.run_sync(team.postgres.stop, kind)
    await trio.to_thread.run_sync(team.postgres.start_again)
    yield


@asynccontextmanager
async def _stop_database(trial: Trial, team: Team, _victim: int) -> AsyncGenerator[None]:
    await trio.to_thread.run_sync(team.postgres.stop)
    await trio.sleep(_AWAY_S if trial.cycles >= _MANY else _BEYOND_LEASE_S)
    await trio.to_thread.run_sync(team.postgres.start_again)
    yield
