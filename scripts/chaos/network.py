"""Scenarios of the network between shim and daemon: frozen, cut, half open, slow, and a real one that is unplugged."""

import secrets
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress

import attrs
import trio

from .children import EXAI
from .proxy import Proxy, open_proxy
from .trial import Trial
from .world import open_world

# A half-open connection must be found within interval + timeout.
_QUICK = {"EXAI_WS_PING_INTERVAL": "0.5", "EXAI_WS_PING_TIMEOUT": "0.5"}
_STORM_S, _STORM_ASKS = 6.0, 60
_STORM_MOST = 5 + 2  # connections: five, and one after each rest of five seconds


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


async def narrow(trial: Trial) -> None:
    """A line so narrow that question and answer each take several times the heartbeat's interval and its limit."""
    second = {"EXAI_WS_PING_INTERVAL": "1", "EXAI_WS_PING_TIMEOUT": "1"}
    async with open_world(**second) as world, open_proxy(world.port) as proxy:
        await world.daemon()
        editor = await world.editor(port=proxy.port)
        for _ in trial.rounds():
            proxy.rate = trial.random.uniform(100_000, 200_000)
            asked = [await trial.echo(editor, padding=200_000)]
            asked += await trial.ask(editor, 2)
            asked_at = trio.current_time()
            await trial.hear(editor, asked)
            trial.figure("all answered, s", trio.current_time() - asked_at)
            trial.must_succeed(asked)
            trial.hold(proxy.connections == 1, "the connection was given up")
            await trial.count(world, most=1)


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


async def storm(trial: Trial) -> None:
    """Whatever stands before the daemon accepts connections and drops them, for six seconds in which the editor goes on asking."""
    async with open_world(**_QUICK) as world, open_proxy(world.port) as proxy:
        await world.daemon()
        editor = await world.editor(port=proxy.port)
        for _ in trial.rounds():
            before, asked = proxy.connections, await trial.ask(editor, 2, "delay=0.1")
            proxy.dropping = True
            proxy.cut()
            for _ in range(_STORM_ASKS):
                asked.append(await trial.echo(editor))
                await trio.sleep(_STORM_S / _STORM_ASKS)
            proxy.dropping = False
            passed = trio.current_time()
            trial.figure("connections in the storm", proxy.connections - before)
            trial.hold(proxy.connections - before <= _STORM_MOST, "the shim knocked without a rest")
            await trial.hear(editor, asked)
            trial.figure("storm passed to all answered, s", trio.current_time() - passed)
            trial.must_succeed(asked)
            await trial.count(world, most=1)


_TOKEN = "chaos-" + "x" * 20


@attrs.frozen
class Cable:
    """A network namespace with one address, at the other end of a cable. Names and addresses are nobody else's."""

    name: str = attrs.field(factory=lambda: secrets.token_hex(3))
    net: str = attrs.field(factory=lambda: f"10.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}")  # fmt: skip

    @property
    def space(self) -> str:
        return f"exai-chaos-{self.name}"

    @property
    def there(self) -> str:
        return f"{self.net}.2"

    @contextmanager
    def laid(self) -> Generator[None]:
        """Raises OSError or subprocess.CalledProcessError. Nothing of it stays."""
        inside = ("netns", "exec", self.space, "ip")
        here, far = f"exh{self.name}", f"ext{self.name}"
        try:
            _ip("netns", "add", self.space)
            _ip("link", "add", here, "type", "veth", "peer", "name", far, "netns", self.space)
            _ip("addr", "add", f"{self.net}.1/30", "dev", here)
            _ip("link", "set", here, "up")
            _ip(*inside, "link", "set", "lo", "up")
            _ip(*inside, "addr", "add", f"{self.there}/30", "dev", far)
            _ip(*inside, "link", "set", far, "up")
            yield
        finally:
            with suppress(OSError):
                subprocess.run(["ip", "netns", "del", self.space], capture_output=True, check=False)

    def plug(self, state: str) -> None:
        _ip("link", "set", f"exh{self.name}", state)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)


def no_namespaces() -> str:
    """Why network namespaces cannot be used here; "" if they can."""
    try:
        with Cable().laid():
            return ""
    except subprocess.CalledProcessError as fault:
        return f"no network namespace can be made: {fault.stderr.decode().strip()}"
    except OSError as fault:
        return f"no network namespace can be made: {fault}"


async def namespace(trial: Trial) -> None:
    """The daemon lives in a network of its own; the cable to it is unplugged for a while, so that nobody hears anything."""
    cable = Cable()
    place = {"EXAI_WS_HOST": cable.there, "EXAI_WS_TOKEN": _TOKEN, **_QUICK}
    with cable.laid():
        async with open_world(**place) as world:
            # The provider stands outside: the daemon's tools that need none are enough here.
            await world.daemon(prefix=("ip", "netns", "exec", cable.space, *EXAI))
            editor = await world.editor()
            for _ in trial.rounds():
                asked = [await trial.echo(editor, delay_ms=100) for _ in range(4)]
                await trio.sleep(trial.random.uniform(0, 0.2))
                cable.plug("down")
                await trio.sleep(trial.random.uniform(0.1, 1.5))
                cable.plug("up")
                plugged = trio.current_time()
                asked.append(await trial.echo(editor))
                await trial.hear(editor, asked)
                trial.figure("plugged in to all answered, s", trio.current_time() - plugged)
                trial.must_succeed(asked)
