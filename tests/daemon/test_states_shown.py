"""Owners show their state in a few words, and no text of a client."""

from pathlib import Path

from exai_trio.bus.message_bus import MessageBus
from exai_trio.config import Config
from exai_trio.daemon.calls.session_calls import SessionCalls
from exai_trio.daemon.connections.payload_transfers import PayloadTransfers
from exai_trio.daemon.delivery.hold_queue import HoldQueue
from exai_trio.daemon.delivery.outbox import Farewell, Outbox
from exai_trio.daemon.delivery.sender import Sender
from exai_trio.daemon.streamable_http.front_desk import FrontDesk
from exai_trio.daemon.streamable_http.http_exchange import Exchange
from exai_trio.daemon.streamable_http.session_runner import SessionRunner
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.endpoint import built_in
from exai_trio.providers.gateway import Gateway
from exai_trio.resilience.breaker import Breaker
from exai_trio.resilience.rate import Buckets, Rate
from exai_trio.shim.reconnect import Reconnect
from exai_trio.transport.http_site import HttpSite
from exai_trio.wire.messages import CallAccepted
from exai_trio.wire.session_rules import SessionRules


def test_an_outbox_shows_what_waits_and_whether_it_is_closed():
    outbox = Outbox()
    outbox.put("secret")

    assert repr(outbox) == "<Outbox open frames=1 bytes=6>"
    outbox.close(Farewell())
    assert repr(outbox) == "<Outbox closed frames=1 bytes=6>"


def test_a_hold_queue_shows_what_waits():
    queue = HoldQueue()
    queue.hold("secret")

    assert repr(queue) == "<HoldQueue waiting=1 kept=1>"


def test_a_sender_shows_whether_a_client_is_there():
    sender = Sender(SessionRules())

    assert repr(sender) == "<Sender away last_seq=0 waiting=0>"
    sender.attach(Outbox(), protocol=2, last_seq=0)
    assert repr(sender) == "<Sender connected last_seq=0 waiting=0>"


def test_the_calls_of_a_session_show_how_many_they_are():
    calls = SessionCalls(Sender(SessionRules()), context=None)

    assert repr(calls) == "<SessionCalls not kept calls=0>"


def test_a_gateway_shows_its_providers():
    config = Config(glm_api_key="very-secret")
    gateway = Gateway(config=config, endpoints=built_in(config, None), catalogue=load_catalogue())

    assert repr(gateway) == "<Gateway providers=glm breakers=0>"


async def test_a_session_and_its_call_show_how_far_they_are(house, autojump_clock):
    """Also to whom the session speaks over HTTP; nothing that was said in the call."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=10.0, chunks=["secret"], then="secret")
        await client.hear_until(CallAccepted)
        session = daemon.sessions.table["win"]
        (call,) = session.calls.table.values()
        runner = SessionRunner(session, None, None, None, None)
        desk = FrontDesk("d", runner, None, None, 1)

        assert repr(call) == "<Call nap win/r1 RUNNING attempt=1>"
        assert repr(session) == f"<Session win connected calls=1 held={session.rules.held_bytes}>"
        assert repr(runner) == "<SessionRunner win runs waiting=0>"
        assert repr(desk) == "<FrontDesk d <Server nobody unspoken waiting=0> exchanges=0>"


async def test_an_exchange_shows_how_many_lines_it_has():
    exchange = Exchange(7, lines=[b"secret"])

    assert repr(exchange) == "<Exchange 7 open lines=1 readers=0>"
    exchange.is_over = True
    assert repr(exchange) == "<Exchange 7 over lines=1 readers=0>"


def test_what_holds_back_shows_how_much_it_takes():
    """A breaker, what many names may have, and the pauses of a link."""
    breaker = Breaker(threshold=1, open_s=2.0)
    assert repr(breaker) == "<Breaker closed failures=0 of 1>"
    breaker.settle(breaker.admit(0.0), "failure", 1.0)
    assert repr(breaker) == "<Breaker open until 3.0 failures=1 of 1>"
    assert repr(Buckets(Rate(burst=2, per_s=0.5), most=9)) == "<Buckets names=0 of 9 per_s=0.5>"
    assert repr(Reconnect(Config(), None)) == "<Reconnect failures=0 since=None>"


async def test_what_carries_much_shows_how_much_it_carries():
    """The large results, those that a client fetches, and the connections of a site."""
    assert repr(MessageBus(None, Path(), None)) == "<MessageBus writing=0 bytes=0>"
    assert repr(PayloadTransfers(None, "ann", Outbox())) == "<PayloadTransfers waiting=0>"
    assert repr(HttpSite(None, most=3)) == "<HttpSite open=0 of 3 at_work=0>"
