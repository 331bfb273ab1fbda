"""What can be made of what was found."""

from pathlib import Path

import attrs

from exai_trio.commands.initial.announcements import announced, farewell
from exai_trio.commands.initial.choices import Found, choices, planned, typed
from exai_trio.commands.initial.key_advice import GLM
from exai_trio.providers.base import OfferedModel
from exai_trio.providers.local_servers.addresses import Address
from exai_trio.providers.local_servers.look import Server

KEY = "c4nary.0123456789"
SERVER = Server(
    address=Address("127.0.0.1", 8080),
    kind="llama-server",
    models=(OfferedModel(name="m", context_window=1024),),
)
EVERYTHING = Found(configured=("mine",), keys=((GLM, KEY),), servers=(SERVER,), strangers=(SERVER,))


def first(**without):
    return choices(attrs.evolve(EVERYTHING, **without))[0].text


def test_the_default_is_what_is_there_then_keys_then_servers_then_the_simulator():
    """Each if there is nothing before it."""
    assert "what is configured: mine" == first()
    assert "GLM (Z.ai)" in first(configured=())
    assert "llama-server at http://127.0.0.1:8080/v1" in first(configured=(), keys=())
    assert "the simulator" in first(configured=(), keys=(), servers=())


def test_a_strangers_server_and_a_key_to_be_typed_are_never_the_default():
    """They come last."""
    ways = choices(Found(strangers=(SERVER,)))

    assert ["the simulator" in ways[0].text, "another user" in ways[1].text] == [True, True]
    assert [GLM, "KIMI_API_KEY"] == [way.ask_for for way in ways[-2:]]


def test_who_simulated_and_has_a_key_simulates_no_more():
    """Else the key would never be used."""
    found = Found(simulated=True)
    with_key = typed(choices(found)[-2], KEY)

    assert ((GLM, KEY),) == with_key.settings
    assert planned(with_key, (), found).no_more_simulated
    assert not planned(choices(found)[0], (), found).no_more_simulated


def test_everything_that_is_going_to_be_done_is_said():
    """With the file's name; and no key."""
    plan = planned(
        choices(attrs.evolve(EVERYTHING, configured=()))[0], ("claude", "codex"), Found()
    )
    said = "\n".join([*announced(plan, Path("/own"), daemon=True), *farewell(plan)])

    assert all(part in said for part in (GLM, "/own", "Claude Code, Codex", "daemon", "--undo"))
    assert KEY not in said + repr(plan)


def test_without_an_editor_there_is_a_next_step_too():
    """Also that the answers are made up."""
    said = "\n".join(farewell(planned(choices(Found())[0], (), Found())))

    assert "exai config --mcp" in said
    assert "made up" in said
