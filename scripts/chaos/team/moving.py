"""Scenarios of a team that changes as it is asked to: clients move, daemons are replaced one after the other, all begin at once."""

import signal

import trio

from ..leaving import Flow, added_since
from ..trial import Trial
from .members import TOKEN, Team, clients_of, open_team
from .strikes import hear_all, judge

_CLIENTS = 3
_CALLS = 4
_MOST_S = 0.3  # a call
_HEARD_S = 60.0
_AFTER_S = 0.3  # calls go on


async def team_moved(trial: Trial) -> None:
    """Clients leave their connection at every frame, and the balancer sends them to either daemon: each call runs once."""
    async with open_team(trial) as team, clients_of(team, _CLIENTS, moves=True) as clients:
        await team.whole()
        for _ in trial.rounds():
            for one in clients:
                for _ in range(_CALLS):
                    await one.ask(trial.mark(), trial.random.uniform(0, _MOST_S))
            await hear_all(trial, clients, _HEARD_S)
            trial.figure("connections of a client", len(clients[0].greeted))
            await judge(trial, team, clients, frozenset(), most=1)


async def team_rolling(trial: Trial) -> None:
    """SIGTERM of each daemon in its turn under 50 calls a second of an editor: no call fails, and none takes much longer."""
    async with open_team(trial) as team:
        await team.whole()
        asking = {"EXAI_WS_TOKEN": TOKEN, "EXAI_WS_AUTOSTART": "false"}
        editor = await team.worlds[0].editor(port=team.balancer.websocket, **asking)
        await trial.hear(editor, [await trial.ask_one(editor)])  # loads the providers' library
        await trial.count(team.worlds[0])
        for _ in trial.rounds():
            flow = Flow()
            async with trio.open_nursery() as load:
                load.start_soon(flow.run, trial, editor)
                await trio.sleep(trial.random.uniform(0.3, 0.6))
                began = trio.current_time()
                for number in range(2):
                    await _replace(trial, team, number)
                await trio.sleep(_AFTER_S)
                load.cancel_scope.cancel(reason="both have been replaced")
            await trial.hear(editor, flow.asked)
            trial.must_succeed(flow.asked)
            for kind in (flow.echoes, flow.chats):
                added_since(trial, kind, began)
            await trial.count(team.worlds[0])


async def _replace(trial: Trial, team: Team, number: int) -> None:
    code = await team.end(number)
    trial.hold(code == 0, f"daemon {number} left with {code}")
    await team.whole()


async def team_begins(trial: Trial) -> None:
    """Both hosts migrate an empty database at once, and start their daemons at once, under calls that wait for them."""
    for _ in trial.rounds():
        async with open_team(trial) as team, clients_of(team, _CLIENTS) as clients:
            for one in clients:
                await one.ask(trial.mark(), trial.random.uniform(0, _MOST_S))
            async with trio.open_nursery() as starting:
                for number in range(2):
                    starting.start_soon(team.start, number)
            await hear_all(trial, clients, _HEARD_S)
            await judge(trial, team, clients, frozenset(), most=1)
            for number in range(2):
                team.signal(number, signal.SIGTERM)
