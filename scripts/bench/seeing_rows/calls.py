"""Calls of test_echo over one connection: as many as fit, or at a steady pace whatever the answers do."""

import re
import time
from collections import deque

import trio

from ..peer import run
from ..processes import NotMeasured
from ..raw import Raw, frame, raw

_SEQ = re.compile(rb'"seq":(\d+)')
_OUTCOME = b'"call_tool_res"'
_REFUSED = b'"OVER_CAPACITY"'
_SILENT_S = 30.0
_EACH_ACK = 50  # outcomes


def flood(port: int, count: int, in_flight: int = 32) -> float:
    """How many a second. Raises NotMeasured."""
    began = time.perf_counter()
    run(_flood, port, count, in_flight)
    return count / (time.perf_counter() - began)


async def _flood(port: int, count: int, in_flight: int) -> None:
    async with raw(port) as client:
        ids = iter(range(count))
        await client.say([_call(next(ids), "x") for _ in range(min(in_flight, count))])
        ended = 0
        while ended < count:
            came = await _outcomes(client)
            if any(_REFUSED in text for text in came):
                raise NotMeasured("a call was refused, which costs less than a call")
            ended += len(came)
            more = [_call(number, "x") for _, number in zip(came, ids, strict=False)]
            await client.say([*more, _ack(came[-1])])


def paced(port: int, seconds: float, per_s: float, prompt: str = "x") -> list[float]:
    """Seconds that each took. The next is said at its time, whether or not those before have ended. Raises NotMeasured."""
    return run(_paced, port, seconds, per_s, prompt)


async def _paced(port: int, seconds: float, per_s: float, prompt: str) -> list[float]:
    said: deque[float] = deque()  # they end about in the order in which they were said
    took: list[float] = []
    count, sending = int(seconds * per_s), trio.Lock()
    async with raw(port) as client, trio.open_nursery() as speaking:

        async def say_on() -> None:
            began = trio.current_time()
            for number in range(count):
                await trio.sleep_until(began + number / per_s)
                said.append(time.perf_counter())
                async with sending:
                    await client.say([_call(number, prompt)])

        speaking.start_soon(say_on)
        while len(took) < count:
            came = await _outcomes(client)
            now = time.perf_counter()
            took += [now - said.popleft() for _ in came]
            if len(took) % _EACH_ACK < len(came):
                async with sending:
                    await client.say([_ack(came[-1])])
    return took


async def _outcomes(client: Raw) -> list[bytes]:
    with trio.move_on_after(_SILENT_S):
        while not (came := [text for _, text in await client.hear() if _OUTCOME in text]):
            pass
        return came
    raise NotMeasured("the daemon is silent")


def _call(number: int, prompt: str) -> bytes:
    return frame("call_tool", request_id=f"r{number}", name="test_echo", arguments={"prompt": prompt})  # fmt: skip


def _ack(outcome: bytes) -> bytes:
    found = _SEQ.search(outcome)
    return frame("ack", seq=int(found[1]) if found else 0)
