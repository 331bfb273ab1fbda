"""Scenarios of the network between shim and daemon: frozen, cut, half open, slow, and a real one that is unplugged."""

import signal
import subprocess

import trio

from .children import EXAI
from .proxy import Proxy, open_proxy
from .trial import Trial
from .world import open_world

# A half-open connection must be found within interval + timeout.
_QUICK = {"EXAI_WS_PING_INTERVAL": "0.5", "EXAI_WS_PING_TIMEOUT": "0.5"}


async def freeze(trial: Trial) -> None:
    """SIGSTOP of the daemon for up to two seconds, SIGCONT: whether or not the shim gave the connection up."""
    async with open_world(**_QUICK) as world:
        daemon = await world.daemon()
        editor = await world.editor()
        for _ in trial.rounds():
            asked = await trial.ask(editor, 4, "delay=0.1")
            await trio.sleep(trial.random.uniform(0, 0.2))
            daemon.signal(signal.SIGSTOP)
            try:
                await trio.sleep(trial.random.uniform(0.1, 2.0))
            finally:
                daemon.signal(signal.SIGCONT)
            woken = trio.current_time()
            asked.append(await trial.echo(editor))
            await trial.hear(editor, asked)
            trial.figure("awake to all answered, s", trio.current_time() - woken)
            trial.must_succeed(asked)
            await trial.count(world, most=1)


async def _through_a_proxy(trial: Trial, harm: str) -> None:
    async with open_world(**_QUICK) as world, open_proxy(world.port) as proxy:
        await world.daemon()
        editor = await world.editor(port=proxy.port)
        for _ in trial.rounds():
            asked = await trial.ask(editor, 4, "delay=0.1")
            await trio.sleep(trial.random.uniform(0, 0.2))
            _harm(trial, proxy, harm)
            asked += await trial.ask(editor, 2)
            harmed = trio.current_time()
            await trial.hear(editor, asked)
            trial.figure("harm to all answered, s", trio.current_time() - harmed)
            trial.must_succeed(asked)
            proxy.delay, proxy.budget = 0.0, float("inf")
            await trial.count(world, most=1)
            trial.weigh("shim", editor.child.pid)


def _harm(trial: Trial, proxy: Proxy, harm: str) -> None:
    match harm:
        case "cut":
            proxy.cut()
        case "mute":
            proxy.mute()
        case "slow":
            proxy.delay = trial.random.uniform(0.02, 0.2)
        case _:
            proxy.budget = trial.random.randint(1, 6000)


async def cut(trial: Trial) -> None:
    """The connection between shim and daemon breaks."""
    await _through_a_proxy(trial, "cut")


async def half_open(trial: Trial) -> None:
    """Whatever is said on the connection is lost, and neither end hears that it is dead."""
    await _through_a_proxy(trial, "mute")


async def slow(trial: Trial) -> None:
    """Everything takes up to 0.2 seconds longer, each way."""
    await _through_a_proxy(trial, "slow")


async def cut_in_frame(trial: Trial) -> None:
    """The connection breaks after any number of bytes, inside frames too. The proxy gives bytes again once it broke."""
    async with open_world(**_QUICK) as world, open_proxy(world.port) as proxy:
        await world.daemon()
        editor = await world.editor(port=proxy.port)
        for _ in trial.rounds():
            proxy.budget = trial.random.randint(1, 4000)
            asked = await trial.ask(editor, 6, "delay=0.05")
            await trio.sleep(0.3)
            proxy.budget = float("inf")
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            await trial.count(world, most=1)


_SPACE = "exai-chaos"
_HERE, _THERE = "10.213.77.1", "10.213.77.2"
_TOKEN = "chaos-" + "x" * 20


def no_namespaces() -> str:
    """Why network namespaces cannot be used here; "" if they can."""
    made = subprocess.run(["ip", "netns", "add", f"{_SPACE}-try"], capture_output=True, check=False)
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.decode().strip()}"
    subprocess.run(["ip", "netns", "del", f"{_SPACE}-try"], check=False)
    return ""


async def _ip(*words: str) -> None:
    await trio.run_process(["ip", *words], capture_stderr=True)


async def namespace(trial: Trial) -> None:
    """The daemon lives in a network of its own; the cable to it is unplugged for a while, so that nobody hears anything."""
    place = {"EXAI_WS_HOST": _THERE, "EXAI_WS_TOKEN": _TOKEN, **_QUICK}
    try:
        await _plug()
        async with open_world(**place) as world:
            # The provider stands outside: the daemon's tools that need none are enough here.
            inside = ("ip", "netns", "exec", _SPACE, *EXAI)
            await world.daemon(prefix=inside)
            editor = await world.editor()
            for _ in trial.rounds():
                asked = [await trial.echo(editor, delay_ms=100) for _ in range(4)]
                await trio.sleep(trial.random.uniform(0, 0.2))
                await _ip("link", "set", "exai-here", "down")
                await trio.sleep(trial.random.uniform(0.1, 1.5))
                await _ip("link", "set", "exai-here", "up")
                plugged = trio.current_time()
                asked.append(await trial.echo(editor))
                await trial.hear(editor, asked)
                trial.figure("plugged in to all answered, s", trio.current_time() - plugged)
                trial.must_succeed(asked)
    finally:
        subprocess.run(["ip", "netns", "del", _SPACE], capture_output=True, check=False)  # noqa: ASYNC221  # a moment at the end


async def _plug() -> None:
    await _ip("netns", "add", _SPACE)
    await _ip("link", "add", "exai-here", "type", "veth", "peer", "name", "exai-there", "netns", _SPACE)  # fmt: skip
    await _ip("addr", "add", f"{_HERE}/30", "dev", "exai-here")
    await _ip("link", "set", "exai-here", "up")
    for words in (("link", "set", "lo", "up"), ("addr", "add", f"{_THERE}/30", "dev", "exai-there"), ("link", "set", "exai-there", "up")):  # fmt: skip
        await _ip("netns", "exec", _SPACE, "ip", *words)
