"""The seven kinds of load: how many clients call what, and what is done to them. What is counted: `Load`."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import trio

from .caller import LOST, Caller, Frame, Refused
from .deaf import open_deaf
from .hostile import Hostility
from .latencies import Latencies
from .proxy import Proxy, open_proxy
from .world import World

_CALL_S = 120.0  # for one outcome: at a load of 27 some took more than 30
_LARGE_PER_SECOND = 60.0  # calls of all that may never read: few and large, not to be the load
_LARGE_CHARACTERS = 60_000
_READERS_PER_SECOND = 200.0  # of all that read beside them


@attrs.define(kw_only=True, eq=False)
class Load:
    """`clients` is how many there are where that can be chosen; `deaf` whether half of them never reads. `alone` has the latencies
    of the turns without `hostility`, where there is any."""

    world: World
    seconds: float
    clients: int = 40
    deaf: bool = True
    began: float = attrs.field(factory=trio.current_time)
    answers: Latencies = attrs.field(
        default=attrs.Factory(lambda self: Latencies(self.seconds), takes_self=True)
    )
    hostility: Hostility | None = None
    alone: Latencies = attrs.field(
        default=attrs.Factory(lambda self: Latencies(self.seconds), takes_self=True)
    )
    codes: Counter[str] = attrs.field(factory=Counter[str])
    silent: int = 0
    lost: int = 0
    thrown_out: int = 0
    _count: int = 0

    @property
    def elapsed(self) -> float:
        return trio.current_time() - self.began

    @property
    def over(self) -> bool:
        return self.elapsed >= self.seconds

    async def call(self, caller: Caller, tool: str, **arguments: Any) -> None:
        """One call to its outcome; over a lost connection it is asked for again by who reconnects."""
        self._count += 1
        id_, at = f"load-{self._count}", self.elapsed
        if not await caller.call(id_, tool, **arguments):
            self.lost += 1
            await trio.sleep(0.05)
            return
        outcome = await self._outcome(caller, id_, tool, arguments)
        if outcome is None:
            self.silent += 1
            return
        self.codes[outcome["error"]["code"] if not outcome["ok"] else "ok"] += 1
        self.answers.add(self.elapsed, self.elapsed - at)
        del caller.outcomes[id_]
        caller.accepted.clear()

    async def _outcome(
        self, caller: Caller, id_: str, tool: str, arguments: dict[str, Any]
    ) -> Frame | None:
        """What a connection lost on the way is said again on the next one, under the same id."""
        socket, until = caller.socket, trio.current_time() + _CALL_S
        while trio.current_time() < until:
            outcome = await caller.outcome(id_, within=0.5)
            if outcome is not None:
                return outcome
            if caller.socket is not socket:
                socket = caller.socket
                await caller.call(id_, tool, **arguments)
        return None


Work = Callable[[Load, Caller, int], Awaitable[None]]


async def _clients(load: Load, count: int, at_once: int, work: Work, port: int = 0) -> None:
    """So many clients with so many calls at once each, until the time is over; who is cut comes back."""
    async with trio.open_nursery() as clients:
        for number in range(count):
            clients.start_soon(_client, load, number, at_once, work, port or load.world.port)


async def _client(load: Load, number: int, at_once: int, work: Work, port: int) -> None:
    caller = Caller()
    async with trio.open_nursery() as life:
        life.start_soon(_stay, caller, port)
        async with trio.open_nursery() as working:
            for lane in range(at_once):
                working.start_soon(_lane, load, caller, number * at_once + lane, work)
        life.cancel_scope.cancel()


async def _stay(caller: Caller, port: int) -> None:
    """Connected, again and again: the session goes on over every cut."""
    while True:
        try:
            async with caller.connected(port):
                await caller.wait_lost()
        except* (*LOST, Refused, trio.TooSlowError):
            pass
        await trio.sleep(0.1)


async def _lane(load: Load, caller: Caller, number: int, work: Work) -> None:
    while not load.over:
        await work(load, caller, number)


async def _chat(load: Load, caller: Caller, number: int) -> None:
    await load.call(
        caller, "chat", prompt=f"[[simulate: delay=0.05]] {number}", use_websearch=False
    )


async def _echo(load: Load, caller: Caller, _number: int) -> None:
    await load.call(caller, "test_echo", prompt="x" * 200, delay_ms=20)


async def steady(load: Load) -> None:
    """100 calls at once, all the time: 20 clients with 5 each."""
    await _clients(load, 20, 5, _echo)


async def burst(load: Load) -> None:
    """10 calls at once, and 100 in the middle fifth of each minute, or of each fifth of a run that is shorter than five."""
    period = min(60.0, load.seconds / 5)

    async def at_times(load: Load, caller: Caller, number: int) -> None:
        if number < 10 or 0.4 <= load.elapsed % period / period < 0.6:
            await _echo(load, caller, number)
        else:
            await trio.sleep(0.02)

    await _clients(load, 20, 5, at_times)


async def slow_clients(load: Load) -> None:
    """Half of the clients ask for large answers, and never read them if the load is `deaf`; the other half asks at its leisure."""
    half = load.clients // 2

    async def small(load: Load, caller: Caller, _number: int) -> None:
        await trio.sleep(_rhythm(half / _READERS_PER_SECOND))
        await _echo(load, caller, 0)

    async def large(load: Load, caller: Caller, _number: int) -> None:
        await trio.sleep(_rhythm(half / _LARGE_PER_SECOND))
        await load.call(caller, "test_echo", prompt="y" * _LARGE_CHARACTERS)

    async with trio.open_nursery() as others:
        if load.deaf:
            for _ in range(half):
                others.start_soon(_never_read, load, half / _LARGE_PER_SECOND)
        else:
            aside = Load(world=load.world, seconds=load.seconds)
            others.start_soon(_clients, aside, half, 1, large)
        await _clients(load, half, 1, small)
        others.cancel_scope.cancel()


def _rhythm(pause: float) -> float:
    """Seconds about as long as that: no two clients ask at the same time for long."""
    return pause * random.uniform(0.1, 1.9)  # noqa: S311  # no secret


async def _never_read(load: Load, pause: float) -> None:
    """Asks until the daemon takes no more, and comes again when it is thrown out."""
    while True:
        try:
            async with open_deaf(load.world.port) as deaf:
                for number in range(100_000):
                    await trio.sleep(_rhythm(pause))
                    await deaf.call(str(number), "y" * _LARGE_CHARACTERS)
        except (OSError, trio.BrokenResourceError):
            load.thrown_out += 1
        await trio.sleep(0.5)


async def failures(load: Load) -> None:
    """Half of the connections are cut again and again: each minute, or four times in a run that is shorter than five."""
    async with open_proxy(load.world.port) as proxy, trio.open_nursery() as harm:
        harm.start_soon(_cut_often, proxy, min(60.0, load.seconds / 5))
        async with trio.open_nursery() as halves:
            halves.start_soon(_clients, load, 10, 5, _chat, proxy.port)
            halves.start_soon(_clients, load, 10, 5, _chat)
        harm.cancel_scope.cancel()


async def _cut_often(proxy: Proxy, period: float) -> None:
    while True:
        await trio.sleep(period)
        proxy.cut()


async def large(load: Load) -> None:
    """Prompts of half a MiB, back and forth, which compress no better than by half."""
    text = " ".join(str(random.randrange(100_000)) for _ in range(90_000))  # noqa: S311  # no secret

    async def work(load: Load, caller: Caller, _number: int) -> None:
        await load.call(caller, "test_echo", prompt=text)

    await _clients(load, 4, 2, work)


async def mixed(load: Load) -> None:
    """Echoes, chats, the tools that read, and calls that are refused."""
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("test_echo", {"prompt": "x"}), ("version", {}), ("listmodels", {}), ("no_such_tool", {}),
        ("chat", {"prompt": "hello", "use_websearch": False}), ("status", {}), ("chat", {"prompt": ""}),
    ]  # fmt: skip

    async def work(load: Load, caller: Caller, number: int) -> None:
        tool, arguments = kinds[(number + load.answers.count) % len(kinds)]
        await load.call(caller, tool, **arguments)

    await _clients(load, 10, 4, work)


_TURNS: Final = 6
_HONEST_PAUSE_S: Final = 0.05


async def hostile(load: Load) -> None:
    """Honest echoes alone and beside clients that mean harm, by turns."""
    beside = load.answers

    async def honest(load: Load, caller: Caller, number: int) -> None:
        await trio.sleep(_rhythm(_HONEST_PAUSE_S))
        await _echo(load, caller, number)

    async def take_turns(harm: Hostility) -> None:
        while True:
            load.answers = load.alone
            await trio.sleep(load.seconds / _TURNS)
            load.answers = beside
            with trio.move_on_after(load.seconds / _TURNS):
                await harm.run()

    async with trio.open_nursery() as others:
        if load.hostility is not None:
            others.start_soon(take_turns, load.hostility)
        await _clients(load, 10, 1, honest)
        others.cancel_scope.cancel()
    load.answers = beside


LOADS: Final[Mapping[str, Callable[[Load], Awaitable[None]]]] = {
    "steady": steady,
    "burst": burst,
    "slow-clients": slow_clients,
    "failures": failures,
    "large": large,
    "mixed": mixed,
    "hostile": hostile,
}
EXPECTED: Final = {"mixed": frozenset({"ok", "TOOL_NOT_FOUND", "VALIDATION_ERROR"})}
