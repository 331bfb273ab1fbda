"""What a client of the protocol asks in peace, in any order: everything that it must hear is known, to the word.

Each exchange leaves the conversation as it found it: all is answered, and nothing runs.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import (
    Ack,
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ErrorReply,
    Health,
    HealthReport,
    Hello,
    ListTools,
    Ping,
    Pong,
    ToolList,
)

from .protocol_client import BrokenPromiseError, ProtocolClient, expect

if TYPE_CHECKING:
    from .work import Workshop

UNACKED_FRAMES, KEPT_OUTCOMES = 60, 24  # of a session, in the simulation
_REMEMBERED = 8  # of these outcomes, with what else is asked meanwhile, the daemon has all
_LATE_S = 1.0  # a call may end so much later than its tool


@attrs.define(eq=False)
class Exchanges:
    """`ended` has the calls whose outcomes were heard, by their ids, with these and their numbers: they may be asked for again."""

    client: ProtocolClient
    draw: random.Random
    workshop: "Workshop"
    most: int
    asked: int = 0
    ended: dict[int, tuple[CallTool, object, int]] = attrs.field(factory=dict)

    def all(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (
            self.ask,
            self.ask_twice,
            self.ask_once_more,
            self.use_an_id_again,
            self.ask_for_nothing,
            self.cancel,
            self.cancel_nothing,
            self.take_too_long,
            self.break_a_tool,
            self.ask_too_much,
            self.take_a_handle,
            self.ask_by_name,
            self.stream,
            self.watch,
            self.acknowledge,
            self.acknowledge_nothing,
            self.ask_for_long,
            self.look_around,
        )

    def call(self, tool: str = "work", **arguments: object) -> CallTool:
        self.asked += 1
        told = {"tag": f"{self.client.session}/{self.asked}", **arguments}
        return CallTool(request_id=self.asked, name=tool, arguments=told)

    async def accepted(self, request: CallTool) -> CallAccepted:
        self.client.stages.pop(request.request_id, None)
        await self.client.say(request)
        accepted = await self.client.hear(CallAccepted)
        said = accepted.request_id, accepted.name, accepted.accepted
        expect("an acceptance", (request.request_id, request.name, True), said)
        return accepted

    async def result(
        self, request: CallTool, within_s: float = 0.0, *, runs: int = 1
    ) -> CallResult:
        result = await self.client.hear(CallResult, within_s=within_s + _LATE_S)
        said = result.request_id, result.outputs[0].text
        expect("a result", (request.request_id, f"done {request.arguments['tag']}"), said)
        self.note_end(request, result, runs)
        return result

    async def fault(self, request_id: object, code: str, within_s: float = 0.0) -> CallFailed:
        failed = await self.client.hear(CallFailed, within_s=within_s + _LATE_S)
        expect("a fault", (request_id, code), (failed.request_id, failed.error.code))
        return failed

    def note_end(self, request: CallTool, outcome: object, runs: int = 1) -> None:
        """It does not run any more, and ran so often."""
        tag = request.arguments["tag"]
        expect(f"runs of {tag} now", 0, self.workshop.now[tag])
        expect(f"runs of {tag}", runs, self.workshop.runs[tag])
        self.ended[request.request_id] = request, outcome, self.client.number
        while len(self.ended) > _REMEMBERED:
            self.ended.pop(min(self.ended))

    async def ask(self) -> None:
        seconds = self.draw.choice((0.0, 0.5, 3.0))
        request = self.call(self.draw.choice(("work", "once")), seconds=seconds)
        began = trio.current_time()
        accepted = await self.accepted(request)
        expect("whether it may be sent again", request.name == "work", accepted.repeatable)
        result = await self.result(request, seconds)
        took_s = result.outputs[0].metadata["latency_metrics"]["latency_ms"] / 1000
        if not seconds <= took_s <= trio.current_time() - began:
            raise BrokenPromiseError(f"a call of {seconds} s says that it took {took_s}")

    async def ask_twice(self) -> None:
        """Sent again while it runs, it hears its acceptance again, under a new number if the old one was acknowledged."""
        request = self.call(seconds=4.0)
        accepted = await self.accepted(request)
        is_acked = self.draw.random() < 0.5
        if is_acked:
            await self._acknowledged(self.client.last)
        last = self.client.last
        expect("an acceptance, again", accepted, await self.accepted(request))
        expect("its number", last + is_acked, self.client.number)
        await self.result(request, 4.0)

    async def ask_once_more(self) -> None:
        """A call that has ended, sent again, has the same outcome, and does not run."""
        if not self.ended:
            return
        request, outcome, seq = self.draw.choice(list(self.ended.values()))
        runs = self.workshop.runs[request.arguments["tag"]]
        last, is_acked = self.client.last, seq <= self.client.acked
        await self.client.say(request)
        expect("an outcome, again", outcome, await self.client.hear(type(outcome)))
        expect("its number", last + 1 if is_acked else seq, self.client.number)
        self.note_end(request, outcome, runs)

    async def use_an_id_again(self) -> None:
        """For another call: that is refused, and the first is not disturbed."""
        request = self.call(seconds=3.0)
        await self.accepted(request)
        await self.client.say(attrs.evolve(request, arguments={"seconds": 1.0}))
        failed = await self.fault(request.request_id, "INVALID_REQUEST")
        expect("why", {"reason": "request_id_reused"}, failed.error.details)
        expect("whether it helps to try again", False, failed.error.retryable)
        await self.result(request, 3.0)

    async def ask_for_nothing(self) -> None:
        """A tool that is not there, or arguments that are not its own: nothing is begun, and the id is free."""
        request, code = self.draw.choice(
            (
                (self.call("no_such_tool"), "TOOL_NOT_FOUND"),
                (self.call(seconds="many"), "VALIDATION_ERROR"),
                (self.call(colour="red"), "VALIDATION_ERROR"),
            )
        )
        await self.client.say(request)
        failed = await self.fault(request.request_id, code)
        expect("whether it helps to try again", False, failed.error.retryable)
        await self._runs(attrs.evolve(self.call(), request_id=request.request_id))

    async def _runs(self, request: CallTool) -> None:
        await self.accepted(request)
        await self.result(request)

    async def cancel(self) -> None:
        """It stops at once, is told once, and cannot be cancelled any more."""
        request = self.call(self.draw.choice(("work", "once")), seconds=60.0)
        await self.accepted(request)
        await trio.sleep(self.draw.choice((0.0, 2.0)))
        await self.cancelled(request)
        await self._not_found(request.request_id)

    async def cancelled(self, request: CallTool, stops_s: float = 0.0) -> None:
        """It runs no longer than so long after it was told."""
        await self.client.say(Cancel(request_id=request.request_id))
        told = await self.client.hear(CallCancelling)
        expect("what is cancelled", request.request_id, told.request_id)
        failed = await self.fault(request.request_id, "CANCELLED")
        await trio.sleep(stops_s)
        self.note_end(request, failed)

    async def _not_found(self, request_id: object) -> None:
        last = self.client.last
        await self.client.say(Cancel(request_id=request_id))
        reply = await self.client.hear(ErrorReply)
        expect("what is not found", (request_id, "NOT_FOUND"), (reply.request_id, reply.error.code))
        expect("its number", last, self.client.last)

    async def cancel_nothing(self) -> None:
        await self._not_found(self.draw.choice(("never asked", *self.ended)))

    async def take_too_long(self) -> None:
        """Its client's own limit holds, to the second."""
        request = attrs.evolve(self.call(seconds=60.0), timeout_s=2.5)
        accepted = await self.accepted(request)
        expect("the limit of an acceptance", 2.5, accepted.timeout)
        await self.client.hear_nothing(1.5)
        failed = await self.fault(request.request_id, "TIMEOUT", 1.0)
        said = failed.error.details["limit"], failed.error.details["timeout_s"]
        expect("what was too long", ("call", 2.5), said)
        self.note_end(request, failed)

    async def break_a_tool(self) -> None:
        fault, code = self.draw.choice(
            (("bug", "INTERNAL_ERROR"), ("tool", "TOOL_EXECUTION_ERROR"), ("room", "OVER_CAPACITY"))
        )
        request = self.call(fails=fault)
        await self.accepted(request)
        failed = await self.fault(request.request_id, code)
        expect("whether it helps to try again", code == "OVER_CAPACITY", failed.error.retryable)
        again_s = 7.0 if code == "OVER_CAPACITY" else None
        expect("when to try again", again_s, failed.error.retry_after_s or None)
        self.note_end(request, failed)

    async def ask_too_much(self) -> None:
        """One more than a session may have: refused, until another has ended."""
        requests = [self.call(seconds=60.0) for _ in range(self.most)]
        for request in requests:
            await self.accepted(request)
        refused = self.call()
        await self.client.say(refused)
        failed = await self.fault(refused.request_id, "OVER_CAPACITY")
        said = failed.error.details, failed.error.retryable, failed.error.retry_after_s
        expect("why", ({"limit": "session_max_inflight", "max": self.most}, True, 1.0), said)
        expect("runs of what was refused", 0, self.workshop.runs[refused.arguments["tag"]])
        await self.cancelled(requests.pop(self.draw.randrange(self.most)))
        await self._runs(refused)
        for request in requests:
            await self.cancelled(request)

    async def take_a_handle(self) -> None:
        """Its work goes on, is told of meanwhile, and ends as if its client had waited."""
        request = attrs.evolve(self.call(seconds=9.0), handle_after_s=1.5)
        await self.accepted(request)
        told = await self.client.hear(CallResult, within_s=1.5 + _LATE_S)
        handle = told.outputs[0].metadata["handle"]
        self.ended[request.request_id] = request, told, self.client.number
        await self._not_found(request.request_id)
        meanwhile = await self.fetched(handle, 0.0)
        expect(
            "what a handle says meanwhile", True, handle in meanwhile and "thinking" in meanwhile
        )
        said = await self.fetched(handle, 20.0)
        expect("what a handle says", f"done {request.arguments['tag']}", said)
        expect("runs under a handle", 1, self.workshop.runs[request.arguments["tag"]])

    async def ask_by_name(self) -> None:
        """What became of a call can be asked for by the handle that it would have, also while it runs; nothing of any other."""
        request = self.call(seconds=3.0)
        await self.accepted(request)
        name = handle_of(self.client.session, request.request_id)
        expect("what is said of a running call", True, "thinking" in await self.fetched(name, 0.0))
        await self.result(request, 3.0)
        expect("what it was", f"done {request.arguments['tag']}", await self.fetched(name, 0.0))
        await self.finds_nothing(handle_of(self.client.session, "never asked"))

    async def finds_nothing(self, handle: str) -> None:
        request = self.fetch(handle, 0.0)
        await self.accepted(request)
        await self.fault(request.request_id, "NOT_FOUND")

    def fetch(self, handle: str, wait_s: float) -> CallTool:
        self.asked += 1
        arguments = {"call_id": handle, "wait_s": wait_s}
        return CallTool(request_id=self.asked, name="result", arguments=arguments)

    async def fetched(self, handle: str, wait_s: float, *, within_s: float = 10.0) -> str:
        await self.accepted(self.fetch(handle, wait_s))
        result = await self.client.hear(CallResult, within_s=within_s)
        expect("whose result it is", self.asked, result.request_id)
        return result.outputs[0].text

    async def stream(self) -> None:
        """All pieces, in order, and before the result, those of one moment as one; none for who asked for none."""
        request = attrs.evolve(self.call(chunks=5), stream=self.draw.random() < 0.7)
        await self._runs(request)
        said = "".join(f"piece {index}" for index in range(5)) if request.stream else ""
        heard = self.client.chunks.get(request.request_id, [])
        expect("what was streamed", said, "".join(text for _, text in heard))
        expect("the pieces' numbers", [*range(len(heard))], [index for index, _ in heard])

    async def watch(self) -> None:
        """Who waits hears of it now and then, and last of what it does."""
        request = self.call(seconds=50.0)
        await self.accepted(request)
        await self.result(request, 50.0)
        stages = self.client.stages[request.request_id]
        expect("the last stage", ("thinking", "hard"), stages[-1][1:])
        if not 3 <= len(stages) <= 5:
            raise BrokenPromiseError(f"a call of 50 s was told of {len(stages)} times: {stages}")

    async def acknowledge(self) -> None:
        seq = self.draw.choice((self.client.last, self.client.last, self.client.last - 2))
        if seq > self.client.acked:
            await self._acknowledged(seq)

    async def _acknowledged(self, seq: int) -> None:
        """The daemon has read it then."""
        await self.client.say(Ack(seq=seq))
        self.client.acked = seq
        await self.ping()

    async def acknowledge_nothing(self) -> None:
        """More than so many frames wait for nobody: what comes then is refused until they are acknowledged."""
        await self._acknowledged(self.client.last)
        for _ in range(UNACKED_FRAMES // 2 + 1):
            await self._runs(self.call())
        refused = self.call()
        await self.client.say(refused)
        failed = await self.fault(refused.request_id, "OVER_CAPACITY")
        said = failed.error.details["limit"], failed.error.retry_after_s
        expect("why, and when to try again", ("unacknowledged", 1.0), said)
        await self._acknowledged(self.client.last)
        await self._runs(refused)

    async def ask_for_long(self) -> None:
        """What was acknowledged is forgotten when newer outcomes need its place, and its id is as good as new; not the newest."""
        await self._acknowledged(self.client.last)
        requests = [self.call() for _ in range(KEPT_OUTCOMES + 1)]
        for request in requests:
            await self._runs(request)
            await self._acknowledged(self.client.last)
        await self.accepted(requests[0])
        await self.result(requests[0], runs=2)
        await self.ask_once_more()

    async def ping(self) -> None:
        self.asked += 1
        await self.client.say(Ping(request_id=self.asked))
        expect("a pong", Pong(request_id=self.asked), await self.client.hear(Pong))

    async def look_around(self) -> None:
        """What runs is counted; a second hello is none."""
        request = self.call(seconds=3.0)
        await self.accepted(request)
        await self.client.say(Health())
        health = (await self.client.hear(HealthReport)).health
        permits = health["permits"]["global"]
        expect("calls and permits", (1, 1), (health["calls"]["running"], permits["inflight"]))
        await self.client.say(ListTools(), Hello(protocol=2))
        names = {tool["name"] for tool in (await self.client.hear(ToolList)).tools}
        expect("the tools", {"work", "once", "long", "result"}, names)
        expect("a second hello", "INVALID_REQUEST", (await self.client.hear(ErrorReply)).error.code)
        await self.result(request, 3.0)
