"""What befalls a client in peace by no fault of its own: its daemon is stopped, its disk stalls, it stays away. All that is heard is known."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import Ack, Bye, CallAccepted, CallFailed, CallResult, CallTool

from .exchanges import Exchanges
from .protocol_client import ProtocolClient, expect
from .work import noise

if TYPE_CHECKING:
    from .story import Universe

_STALL_S = 10.0  # longer than a daemon drains, and than its log is flushed after that
_MUCH = 45_000  # bytes of an answer; a few of them are more than the network holds


@attrs.define(eq=False)
class Hardships:
    """Of one client."""

    universe: "Universe"
    everything: trio.Nursery
    client: ProtocolClient
    exchanges: Exchanges

    def all(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (
            self.stop,
            self.find_no_room,
            self.stay_away,
            self.wait_beside_the_disk,
            self.read_nothing,
            self.ask_along,
        )

    async def stop(self) -> None:
        """A daemon that is told to ends what is short, breaks off what may not run twice, and leaves the rest, also under handles, to the
        next one. Each outcome is told once, though the disk takes it after the last goodbye."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        ends = [
            *(exchanges.call(seconds=1.0) for _ in range(2)),
            exchanges.call("once", seconds=60.0),
        ]
        again = exchanges.call(seconds=30.0)
        handled = attrs.evolve(exchanges.call(seconds=30.0), handle_after_s=1.5)
        theirs = [of.window.ask("once", 6.0)]
        life = of.house.life
        async with client.connected():
            handle = await self._handle_of(handled)
            for request in (*ends, again):
                await exchanges.accepted(request)
            heard, is_slow = await self._see_it_stop(theirs)
        await life.ended.wait()
        await of.begin(self.everything)
        client.restarted = True
        client.stages.clear()  # what runs again begins again
        async with client.connected():
            heard += [await client.hear(object) for _ in range(3 - len(heard))] if is_slow else []
            self._look_at(heard, ends)
            client.restarted = True
            await exchanges.result(again, 30.0, runs=2)
            said = await exchanges.fetched(handle, 60.0, within_s=30.0)
            expect("what a handle says", f"done {handled.arguments['tag']}", said)
        exchanges.ended.clear()
        of.oracle.check_all_answered()
        for id_ in theirs:
            of.oracle.check_ran_once(of.window.key_of(id_))

    async def _see_it_stop(self, theirs: list[int]) -> tuple[list, bool]:
        """Returns which outcomes were heard before the connection was closed, and whether the disk was slow."""
        self.everything.start_soon(self.universe.house.drain)
        self.everything.start_soon(self._ask_on, theirs)
        bye = await self.client.hear(Bye)
        expect("why it is to leave", ("draining", True), (bye.reason, bye.retry_after_s > 0))
        is_slow = self._may_stall(_STALL_S)
        heard = [] if is_slow else await self._refused(2)
        return heard + await self._hear_out(self.client), is_slow

    async def _ask_on(self, asked: list[int]) -> None:
        """An editor does, that has not heard yet that its daemon leaves."""
        for _ in range(8):
            asked.append(self.universe.window.ask("work", 0.0))
            await trio.sleep(0.02)

    async def _handle_of(self, request: CallTool) -> str:
        await self.exchanges.accepted(request)
        told = await self.client.hear(CallResult, within_s=2.5)
        return told.outputs[0].metadata["handle"]

    async def _refused(self, after: int) -> list:
        """What is new is, once so many outcomes were heard; these are returned."""
        heard = [await self.client.hear(CallResult) for _ in range(after)]
        refused = self.exchanges.call()
        await self.client.say(refused)
        await self.exchanges.fault(refused.request_id, "SERVICE_UNAVAILABLE")
        return heard

    def _may_stall(self, seconds: float) -> bool:
        """The disk does, from now on, as often as not."""
        stalls = self.universe.draw.random() < 0.5
        if stalls:
            self.universe.disk.stalled_until = trio.current_time() + seconds
        return stalls

    async def _hear_out(self, client: ProtocolClient) -> list:
        """All that comes until the daemon closes the connection."""
        heard = []
        with suppress(PeerGone):
            while True:
                heard.append(await client.hear(object, within_s=_STALL_S))
        return heard

    def _look_at(self, heard: list, requests: list) -> None:
        expect("how many outcomes", len(requests), len(heard))
        for outcome, request in zip(heard, requests, strict=True):
            tag = request.arguments["tag"]
            match outcome:
                case CallFailed(error=fault):
                    said = fault.code
                case CallResult(outputs=[output]):
                    said = output.text
                case _:
                    said = repr(outcome)
            ends = "INTERRUPTED" if request.name == "once" else f"done {tag}"
            expect("how a call ends", (request.request_id, ends), (outcome.request_id, said))
            self.exchanges.note_end(request, outcome)

    async def find_no_room(self) -> None:
        """A call that cannot be written down is refused, and was not run. Somebody looks whether there is room again, and it is so."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        async with client.connected():
            await trio.sleep(31)  # what it has acknowledged is written down: nothing else is
            of.disk.full_until = trio.current_time() + 5.0
            refused = exchanges.call()
            await client.say(refused)
            failed = await exchanges.fault(refused.request_id, "SERVICE_UNAVAILABLE", 6.0)
            expect("why", {"reason": "not_journalled"}, failed.error.details)
            expect("runs of what was refused", 0, of.workshop.runs[refused.arguments["tag"]])
            await trio.sleep(27)
            fault = of.house.life.journal.journal.appender.fault
            expect("what is wrong with the log", None, fault)
            await exchanges.accepted(refused)
            await exchanges.result(refused)

    async def stay_away(self) -> None:
        """Who comes back while its calls are being ended hears of each, though the disk takes its time; they do not run again."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.short_grace:
            return
        requests = [exchanges.call(seconds=55.0) for _ in range(2)]
        async with client.connected():
            for request in requests:
                await exchanges.accepted(request)
        await trio.sleep(of.kind.config.session_grace_s - 1.0)
        of.disk.stalled_until = trio.current_time() + 6.0  # one outcome waits for it at least
        await trio.sleep(3.0)
        async with client.connected():
            expect("whether it is known", True, client.resumed)
            failed = [await client.hear(CallFailed, within_s=7.0) for _ in requests]
            said = {(one.request_id, one.error.code) for one in failed}
            expect("how they end", {(one.request_id, "CANCELLED") for one in requests}, said)
            for request in requests:
                expect("its runs", 1, of.workshop.runs[request.arguments["tag"]])

    async def wait_beside_the_disk(self) -> None:
        """Who says for how long it waits hears before that of a call that runs, whatever the disk does."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        request = attrs.evolve(exchanges.call(seconds=25.0), handle_after_s=1.5)
        async with client.connected():
            handle = await self._handle_of(request)
            await trio.sleep(1.0)
            of.disk.stalled_until = trio.current_time() + 4.0
            asked = attrs.evolve(exchanges.fetch(handle, 60.0), handle_after_s=8.0)
            until = trio.current_time() + 8.0
            await client.say(asked)
            await client.hear(CallAccepted, within_s=8.0)
            result = await client.hear(CallResult, within_s=until - trio.current_time())
            text = result.outputs[0].text
            expect("what is said meanwhile", True, handle in text and "thinking" in text)
            said = await exchanges.fetched(handle, 60.0, within_s=25.0)
            expect("what is said at the end", f"done {request.arguments['tag']}", said)
        exchanges.ended.pop(request.request_id, None)

    async def read_nothing(self) -> None:
        """Who reads nothing of what is much is let go of, and finds all of it when it comes back."""
        of = self.universe
        if not of.kind.is_durable:
            return
        client = ProtocolClient(of.network, f"deaf{of.draw.randrange(10**9)}")
        exchanges = attrs.evolve(self.exchanges, client=client, asked=0)
        requests = [exchanges.call(size=_MUCH) for _ in range(9)]
        async with client.connected():
            for request in requests:
                await client.say(request)
                await trio.sleep(1)
            await trio.sleep(30)
            heard = await self._hear_out(client)
        async with client.connected():
            expect("whether what it left is there", True, client.resumed)
            while sum(isinstance(one, CallResult) for one in heard) < len(requests):
                heard.append(await client.hear(object))
            await client.say(Ack(seq=client.last))
        texts = {
            one.request_id: one.outputs[0].text for one in heard if isinstance(one, CallResult)
        }
        for request in requests:
            tag = request.arguments["tag"]
            expect("what was left", f"done {tag} {noise(tag, _MUCH)}", texts[request.request_id])
            expect("how often it ran", 1, of.workshop.runs[tag])
        await trio.sleep(20)  # nothing is held for it any more
        self.client.restarted = True  # nor for the other, who was away
        self.exchanges.ended.clear()

    async def ask_along(self) -> None:
        """Requests of an editor that ask for the same have one call, and an answer each; who withdraws takes nothing from the others."""
        window, oracle = self.universe.window, self.universe.oracle
        first = window.ask("work", 3.0)
        ids = [first, window.ask_along(first), window.ask_along(first)]
        await trio.sleep(1)
        window.withdraw(self.universe.draw.choice(ids))
        await trio.sleep(5)
        oracle.check_all_answered()
        oracle.check_ran_once(window.key_of(first))
