"""Scenarios of MCP over HTTP: streams that are cut, daemons killed under them, clients that leave."""

from typing import Any

import trio

from .children import free_port
from .http_client import Followed, HttpClient, Lost, http_client
from .provider import fetch
from .proxy import open_proxy
from .trial import Trial, prompt
from .world import World, open_world

_SHAPE = "say=MARK reasoning=0 piece=1 drip=0.06"
_LONGEST_S = 0.8  # about what an answer takes
_STREAMS = 3
_PATIENCE_S = 60.0


def _settings() -> dict[str, object]:
    return {
        "EXAI_MCP_PORT": free_port(),
        "EXAI_PROGRESS_INTERVAL_S": "0.05",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "HEALTH_CHECK_PORT": "0",
    }


async def http_cut(trial: Trial) -> None:
    """Streams of MCP over HTTP are cut at any moment: each goes on where it was, every event comes once, in order."""
    settings = _settings()
    async with open_world(**settings) as world, open_proxy(_port(settings)) as proxy:
        await world.daemon()
        async with http_client(proxy.port) as client:
            await client.initialize()
            for _ in trial.rounds():
                async with trio.open_nursery() as struck:
                    struck.start_soon(_followed, trial, client)
                    await trio.sleep(trial.random.uniform(0, _LONGEST_S))
                    proxy.cut()
                await trial.count(world, most=1)


async def http_kill(trial: Trial) -> None:
    """kill -9 of the daemon under streams of MCP over HTTP: they go on at the next one, every event comes once, in order."""
    settings = _settings()
    async with open_world(forked=trial.forked, **settings) as world:
        daemon = await world.daemon()
        async with http_client(_port(settings)) as client:
            await client.initialize()
            for _ in trial.rounds():
                async with trio.open_nursery() as struck:
                    struck.start_soon(_followed, trial, client)
                    await trio.sleep(trial.random.uniform(0, _LONGEST_S))
                    await daemon.kill()
                    trial.kills += 1
                    killed = trio.current_time()
                    daemon = await world.daemon()
                    trial.figure("kill to listening, s", trio.current_time() - killed)
                trial.figure("kill to all answered, s", trio.current_time() - killed)
                await trial.count(world)


async def _followed(trial: Trial, client: HttpClient) -> None:
    """Streams side by side to their answers, and what must hold for each."""
    calls = [Followed(trial.mark()) for _ in range(_STREAMS)]
    try:
        with trio.move_on_after(_PATIENCE_S):
            async with trio.open_nursery() as following:
                for call in calls:
                    following.start_soon(client.follow, call, _arguments(call.mark, _SHAPE))
            await _told_once(trial, client, calls)
    except* Lost as group:
        trial.broken.append(f"cycle {trial.done}: {group.exceptions}")
    for call in calls:
        trial.accepted += 1
        trial.answered += bool(call.answers)
        if not call.answers:
            trial.broken.append(f"cycle {trial.done}: {call.mark} was not answered: {call}")
            continue
        trial.figure("connections of a call", call.breaks + 1)
        trial.figure("events of a stream", len(call.numbers))
        trial.hold(not call.wrong(), f"{call.mark}: {call.wrong()}")
        trial.hold(not call.failed and call.mark in call.text, f"{call.mark}: {call.text[:200]}")


async def _told_once(trial: Trial, client: HttpClient, calls: list[Followed]) -> None:
    """After the answer nothing follows, also for who asks on."""
    asked_on = [call for call in calls if call.last][:1]
    for call in asked_on:
        await client.ask_on(call)
        trial.hold(len(call.answers) == 1, f"{call.mark}: its answer was told again")


async def http_leave(trial: Trial) -> None:
    """A client of the era without sessions closes its stream: that cancels, and the provider's socket is closed within a second."""
    settings = _settings()
    async with open_world(**settings) as world:
        await world.daemon()
        async with http_client(_port(settings)) as client:
            for _ in trial.rounds():
                mark, leaves = trial.mark(), trio.Event()
                async with trio.open_nursery() as leaving:
                    leaving.start_soon(client.leave, mark, _arguments(mark, "tokens=2000 drip=0.05"), leaves)  # fmt: skip
                    trial.hold(await _open_chats(world, 1), "the call did not reach the provider")
                    await trio.sleep(trial.random.uniform(0, _LONGEST_S))
                    left = trio.current_time()
                    leaves.set()
                trial.hold(await _open_chats(world, 0), "the provider's request runs for nobody")
                trial.figure("left to the provider's socket closed, s", trio.current_time() - left)
                await trial.count(world, most=1)


async def _open_chats(world: World, count: int) -> bool:
    """Whether so many come to be open at the provider, which a daemon that has just begun also asks for its files and models."""
    with trio.move_on_after(_PATIENCE_S):
        await trio.lowlevel.checkpoint()
        while await _chats_now(world) != count:  # noqa: ASYNC110  # another process's
            await trio.sleep(0.01)
        return True
    return False


async def _chats_now(world: World) -> int:
    state = await fetch(world.provider.port, "/_state")
    return sum(one["path"].endswith("/chat/completions") for one in state["open"])


def _arguments(mark: str, shape: str) -> dict[str, Any]:
    return {"prompt": prompt(mark, shape), "model": "glm-4.5-flash", "use_websearch": False}


def _port(settings: dict[str, object]) -> int:
    return int(str(settings["EXAI_MCP_PORT"]))
