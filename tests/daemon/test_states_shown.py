"""Owners show their state in a few words, and no text of a client."""

from exai_trio.config import Config
from exai_trio.daemon.calls.session_calls import SessionCalls
from exai_trio.daemon.delivery.hold_queue import HoldQueue
from exai_trio.daemon.delivery.outbox import Farewell, Outbox
from exai_trio.daemon.delivery.sender import Sender
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.endpoint import built_in
from exai_trio.providers.gateway import Gateway
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
