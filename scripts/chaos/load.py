"""The six kinds of load: how many clients call what, and what is done to them. What is counted: `Load`."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import trio

from .caller import LOST, Caller, Frame, Refused
from .latencies import Latencies
from .proxy import Proxy, open_proxy
from .world import World

_CALL_S = 30.0
_DEAF_PER_SECOND = 60.0  # calls of all that never read: few and large, not to be the load
_DEAF_CHARACTERS = 60_000
_READERS_PER_SECOND = 200.0  # of all that read beside them
_SMALL_BUFFER = 8192  # bytes that the system may hold for one that never reads


@attrs.define(kw_only=True, eq=False)
class Load:
    """`clients` is how many there are where that can be chosen; `deaf` whether half of them never reads."""

    world: World
    seconds: float
    clients: int = 40
    deaf: bool = True
    began: float = attrs.field(factory=trio.current_time)
    answers: Latencies = attrs.field(
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
    """Half of the clients ask for large answers and never read; the other half asks at its leisure."""
    half = load.clients // 2
    pause = half / _READERS_PER_SECOND

    async def at_leisure(load: Load, caller: Caller, number: int) -> None:
        await trio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # a rhythm, no secret
        await _echo(load, caller, number)

    async with trio.open_nursery() as deaf:
        for _ in range(half if load.deaf else 0):
            deaf.start_soon(_never_read, load, half / _DEAF_PER_SECOND)
        await _clients(load, half, 1, at_leisure)
        deaf.cancel_scope.cancel()


async def _never_read(load: Load, pause: float) -> None:
    """Asks until the daemon takes no more, and comes again when it is thrown out."""
    hello = '{"op": "hello", "protocol": 2}'
    call = '{"op": "call_tool", "request_id": "%d", "name": "test_echo", "arguments": {"prompt": "%s"}}'
    text = "y" * _DEAF_CHARACTERS
    while True:
        try:
            async with await _open_narrow(load.world.port) as stream:
                socket = await Deaf.open(stream)
                await socket.say(hello)
                for number in range(100_000):
                    await trio.sleep(pause)
                    await socket.say(call % (number, text))
        except (OSError, trio.BrokenResourceError):
            load.thrown_out += 1
        await trio.sleep(0.5)


async def _open_narrow(port: int) -> trio.SocketStream:
    """A connection on which little waits to be read: the rest waits in the daemon."""
    narrow = trio.socket.socket()
    narrow.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, _SMALL_BUFFER)
    try:
        await narrow.connect(("127.0.0.1", port))
    except BaseException:
        narrow.close()
        raise
    return trio.SocketStream(narrow)


@attrs.frozen
class Deaf:
    """A WebSocket that only speaks."""

    stream: trio.SocketStream

    @classmethod
    async def open(cls, stream: trio.SocketStream) -> "Deaf":
        await stream.send_all(_UPGRADE)
        await stream.receive_some(4096)
        return cls(stream)

    async def say(self, text: str) -> None:
        data = text.encode()
        size = (
            bytes([0xFE]) + len(data).to_bytes(2) if len(data) > 125 else bytes([0x80 | len(data)])
        )
        await self.stream.send_all(b"\x81" + size + bytes(4) + data)


_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def failures(load: Load) -> None:
    """Half of the connections are cut again and again: each minute, or four times in a run that is shorter than that."""
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


LOADS: Final[Mapping[str, Callable[[Load], Awaitable[None]]]] = {
    "steady": steady,
    "burst": burst,
    "slow-clients": slow_clients,
    "failures": failures,
    "large": large,
    "mixed": mixed,
}
EXPECTED: Final = {"mixed": frozenset({"ok", "TOOL_NOT_FOUND", "VALIDATION_ERROR"})}
