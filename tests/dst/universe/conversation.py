"""A conversation in peace: exchanges in an order that is drawn, across connections, daemons and sessions. All that is heard is known."""

from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio.system.exception_groups import first_of
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import Ack, Bye, CallAccepted, CallResult

from .exchanges import Exchanges
from .hardships import Hardships
from .protocol_client import BrokenPromiseError, ProtocolClient, expect

if TYPE_CHECKING:
    from .story import Universe

_ROUNDS = 3


async def converse(universe: "Universe", everything: trio.Nursery) -> None:
    """Return when all was heard as it was to be, or a promise is broken."""
    try:
        await Conversation(universe, everything).run()
        await _take_over(universe)
    except* BrokenPromiseError as faults:
        universe.oracle.fail(f"in peace: {first_of(faults)}")


async def _take_over(universe: "Universe") -> None:
    """Another process comes with the session of the editor's shim: it hears the outcome, and the editor has a handle for that."""
    window = universe.window
    key = window.key_of(window.ask("work", 20.0))
    await trio.sleep(2)
    client = ProtocolClient(universe.network, f"shim_{window.name}", restarted=True)
    async with client.connected(window.link.received.last):
        expect("whether it has the session", True, client.resumed)
        await trio.sleep(2)
        handle = handle_of(client.session, key)
        expect("the handle of the editor", True, handle in universe.oracle.handles)
        result = await client.hear(CallResult, within_s=20.0)
        expect("whose result it is", key, result.request_id)
    window.fetch(handle, 0.0)
    await trio.sleep(10)
    universe.oracle.check_all_answered()
    universe.oracle.check_all_fetched()


@attrs.define(eq=False)
class Conversation:
    """Of one client, that comes and goes."""

    universe: "Universe"
    everything: trio.Nursery
    client: ProtocolClient = attrs.field(init=False)
    exchanges: Exchanges = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client, self.exchanges = self._client("talk")

    def _client(self, name: str) -> tuple[ProtocolClient, Exchanges]:
        of = self.universe
        client = ProtocolClient(of.network, name)
        most = of.kind.config.ws_session_max_inflight
        return client, Exchanges(client, of.draw, of.workshop, most)

    async def run(self) -> None:
        async with self.client.connected():
            expect("whether a new session is resumed", False, self.client.resumed)
            await self._exchange(list(self.exchanges.all()))
        between = [self._come_back, self._come_twice, self._replace, self._crash, self._crowd]
        between += [self._lose_the_log, self._ask_from_elsewhere, self._speak_protocol_1]
        hard = Hardships(self.universe, self.everything, self.client, self.exchanges)
        between += [self._look_in_vain, *hard.all()]
        self.universe.draw.shuffle(between)
        for meanwhile in between:
            await meanwhile()
            async with self.client.connected():
                expect("whether a session is resumed", True, self.client.resumed)
                await self._exchange(self.universe.draw.sample(self.exchanges.all(), _ROUNDS))
        await self._dismiss()

    async def _exchange(self, acts: list) -> None:
        self.universe.draw.shuffle(acts)
        for act in acts:
            self.universe.note(f"exchange {act.__name__}")
            await act()

    async def _come_back(self) -> None:
        """As one that has not heard the last frames: they come again as they were. What runs meanwhile is not disturbed."""
        client, exchanges = self.client, self.exchanges
        request = exchanges.call("once", seconds=9.0)
        async with client.connected():
            await exchanges.accepted(request)
            await exchanges.ask()
        heard = client.last
        missed = self.universe.draw.randrange(client.acked, heard + 1)
        async with client.connected(missed):
            client.acked = missed
            while client.last < heard:
                await client.hear(object)
            await exchanges.result(request, 9.0)

    async def _come_twice(self) -> None:
        """The connection before hears of it, and nothing more."""
        client, exchanges = self.client, self.exchanges
        request = exchanges.call(seconds=2.0)
        async with client.connected():
            await exchanges.accepted(request)
            before = attrs.evolve(client)
            async with client.connected():
                expect("why it is over", "superseded", (await before.hear(Bye)).reason)
                await before.hear_end()
                await exchanges.result(request, 2.0)

    async def _replace(self) -> None:
        """What runs goes on in the daemon that is replaced, and can be cancelled from the next one."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        kept = attrs.evolve(exchanges.call("once", seconds=25.0, chunks=5), stream=True)
        unwanted = exchanges.call(seconds=60.0)
        async with client.connected():
            await exchanges.accepted(kept)
            await exchanges.accepted(unwanted)
        await of.begin(self.everything, of.house.life)
        client.restarted = True
        async with client.connected():
            expect("whether it goes on in the next daemon", True, client.resumed)
            await exchanges.cancelled(unwanted, 1.0)
            await exchanges.result(kept, 25.0)
            expect("the last of a stream", (4, "piece 4"), client.chunks[kept.request_id][-1])
            said = client.stages[kept.request_id][-1][1:]
            expect("the last stage in the daemon before", ("writing", "piece 4"), said)
        exchanges.ended.clear()  # what was acknowledged may be forgotten
        await trio.sleep(60)  # the daemon that was replaced has left
        client.restarted = (
            of.kind.short_grace
        )  # the session has ended, and comes back from the journal

    async def _crash(self) -> None:
        """What may run twice does, what may not is over, and what has ended stays as it was."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        again, once = exchanges.call(seconds=9.0), exchanges.call("once", seconds=9.0)
        async with client.connected():
            await exchanges.accepted(again)
            await exchanges.accepted(once)
            heard = client.last
            await exchanges.ask()
        await self._begin_anew()
        async with client.connected(heard):
            expect("whether it is known to the next daemon", True, client.resumed)
            client.stages.clear()  # what runs again begins again
            await client.hear(CallAccepted)
            await client.hear(CallResult)
            await exchanges.fault(once.request_id, "INTERRUPTED", 10.0)
            await exchanges.result(again, 10.0, runs=2)
        exchanges.ended.clear()

    async def _lose_the_log(self) -> None:
        """What was written into a file that somebody has removed is saved, as is what comes then."""
        of, client, exchanges = self.universe, self.client, self.exchanges
        if not of.kind.is_durable:
            return
        async with client.connected():
            heard = client.last
            await exchanges.ask()
            of.disk.lose_newest()
            await exchanges.ask()
            await trio.sleep(
                of.draw.choice((25, 70))
            )  # somebody looks after the log, once or a few times
        await self._begin_anew()
        async with client.connected(heard):
            for kind in (CallAccepted, CallResult) * 2:
                await client.hear(kind)
        exchanges.ended.clear()

    async def _begin_anew(self) -> None:
        """The daemon is killed, and there is another."""
        life = self.universe.house.life
        self.universe.house.crash(life)
        await life.ended.wait()
        await self.universe.begin(self.everything)
        self.client.restarted = True

    async def _ask_from_elsewhere(self) -> None:
        """Another session may ask for an outcome, also when nobody has come back for it."""
        of, client = self.universe, self.client
        if not of.kind.is_durable:
            return
        async with client.connected():
            request = self.exchanges.call()
            await self.exchanges.accepted(request)
            await self.exchanges.result(request)
        await self._begin_anew()
        other, others = self._client(f"elsewhere{of.draw.randrange(10**9)}")
        async with other.connected():
            name = handle_of(client.session, request.request_id)
            said = await others.fetched(name, 0.0)
            expect("what it was", f"done {request.arguments['tag']}", said)
            await others.finds_nothing(handle_of("nobody", 1))
            await other.say(Ack(seq=other.last))
        self.exchanges.ended.clear()

    async def _speak_protocol_1(self) -> None:
        """Its frames have no numbers, its results their text at the top. What it runs in a daemon that is replaced ends there, or is cut."""
        of = self.universe
        if not of.kind.is_durable:
            return
        client, exchanges = self._client(f"old{of.draw.randrange(10**9)}")
        client.protocol = 1
        short, long = exchanges.call(seconds=2.0), exchanges.call(seconds=50.0)
        async with client.connected():
            await exchanges.accepted(long)
            await exchanges.accepted(short)
            await of.begin(self.everything, of.house.life)
            self.client.restarted = True
            expect("why it is to leave", "draining", (await client.hear(Bye)).reason)
            result = await exchanges.result(short, 2.0)
            expect("the text of a result", f"done {short.arguments['tag']}", result.text)
            failed = await exchanges.fault(long.request_id, "INTERRUPTED", of.kind.config.drain_s)
            expect("when to come again", 0.0, failed.error.retry_after_s)
            exchanges.note_end(long, failed)
        expect("numbers of an old client", {}, client.frames)
        self.exchanges.ended.clear()
        await trio.sleep(60)  # the daemon that was replaced has left

    async def _look_in_vain(self) -> None:
        """A look at the log that nobody waits for any more has the disk still: what is asked meanwhile waits for that."""
        of = self.universe
        if not of.kind.is_durable:
            return
        async with self.client.connected():
            for _ in range(4):
                await self.exchanges.ask()
                of.disk.stalled_until = trio.current_time() + 1.0
                with trio.move_on_after(0.1):
                    await of.house.life.journal.session(self.client.session)
                await self.exchanges.ask()

    async def _crowd(self) -> None:
        """Two sessions ask for more than the daemon has permits for: the rest waits, is told so, and is run in its turn."""
        of = self.universe
        if not of.kind.is_durable:
            return  # three sessions are more than the daemon has memory for: one is lost
        other, others = self._client(f"crowd{of.draw.randrange(10**9)}")
        most = of.kind.config.ws_global_max_inflight
        async with self.client.connected(), other.connected():
            first = [self.exchanges.call(seconds=10.0) for _ in range(self.exchanges.most)]
            for request in first:
                await self.exchanges.accepted(request)
            second = [others.call(seconds=10.0) for _ in range(others.most)]
            for request in second:
                await others.accepted(request)
            free = most - len(first)
            expect("how many run at once", most, sum(of.workshop.now.values()))
            for request in first:
                await self.exchanges.result(request, 10.0)
            for request in second:
                await others.result(request, 10.0 if request in second[:free] else 20.0)
            stages = [other.stages[request.request_id][0][1] for request in second]
            expect(
                "what they wait for",
                ["thinking"] * free + ["queued"] * (len(second) - free),
                stages,
            )
            await other.say(Ack(seq=other.last))
        self.client.restarted = True  # its session may come back from the journal

    async def _dismiss(self) -> None:
        """Its calls end as cancelled, its client hears why, and who comes back finds what the journal has."""
        client, exchanges = self.client, self.exchanges
        request = exchanges.call(seconds=60.0)
        async with client.connected():
            await exchanges.accepted(request)
            self.universe.house.life.sessions.table[client.session].dismiss("enough")
            expect("why it is over", "session ended", (await client.hear(Bye)).reason)
            failed = await exchanges.fault(request.request_id, "CANCELLED")
            exchanges.note_end(request, failed)
            await client.hear_end()
        async with client.connected():
            expect("whether it is resumed", self.universe.kind.is_durable, client.resumed)
            client.forget()
            await exchanges.ask()
            await client.say(Ack(seq=client.last))
