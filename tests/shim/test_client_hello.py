"""The hello: who we are, which session we come back to, and answers that are none."""

import attrs
import pytest
import trio

from exai_trio.daemon.connections.auth import Tokens

SECRET = "a secret that is long enough for its algorithm"


async def test_a_wrong_token_is_said_and_tried_again(make_world, autojump_clock):
    """While the daemon refuses us calls are answered at once, naming the setting; the loop goes on."""
    async with make_world(hello_error="unauthorized") as world:
        world.call(1)
        answer = await world.lines.wait_answer(1, 5)
        world.daemon.hello_error = None
        world.call(2)
        await world.lines.wait_answer(2, 5)

    text = answer["result"]["content"][0]["text"]
    assert "EXAI_WS_TOKEN" in text
    assert "UNAUTHORIZED" in text


@pytest.mark.parametrize(("token", "signs"), [("", True), ("a shared token", False)])
async def test_a_shim_with_the_daemons_secret_signs_for_itself(
    make_world, config, autojump_clock, token, signs
):
    """Where there is no shared token the daemon gets a JWT that it can check, and it is the same person every time."""
    settings = attrs.evolve(
        config, ws_token=token, jwt_secret_key=SECRET, jwt_issuer="us", jwt_audience="exai"
    )
    async with make_world(settings) as world:
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        hellos = [await world.daemon.wait_for("hello", visit) for visit in (1, 2)]

    doors = Tokens(attrs.evolve(settings, ws_token="another" if signs else token))
    expected = "jwt:exai" if signs else "token"
    assert [doors.principal(hello.get("token"), hello.get("jwt")) for hello in hellos] == [
        expected
    ] * 2
    assert [bool(hello["jwt"]) for hello in hellos] == [signs] * 2


@pytest.mark.parametrize("token", ["", "secret"])
async def test_the_token_goes_to_the_daemon(make_world, config, autojump_clock, token):
    """If there is one: an empty one is none."""
    async with make_world(attrs.evolve(config, ws_token=token)) as world:
        hello = await world.daemon.wait_for("hello")

    assert (token or None) == hello.get("token")


async def test_the_session_that_the_daemon_gives_is_kept(make_world, autojump_clock):
    """The next connection asks for that one."""
    given = {"op": "hello_ack", "ok": True, "session_id": "given", "protocol": 2, "resumed": False}
    async with make_world(greetings=[given]) as world:
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        hello = await world.daemon.wait_for("hello", 2)

    assert "given" == hello["session_id"]


async def test_a_new_session_has_no_numbers_yet(make_world, autojump_clock):
    """After bye superseded the daemon is not told of what another session has brought."""
    async with make_world() as world:
        world.call(1)
        await world.lines.wait_answer(1)
        await world.daemon.send({"op": "bye", "reason": "superseded", "retry_after_s": 0})
        hello = await world.daemon.wait_for("hello", 2)

    assert 0 == hello["last_seq"]


async def test_a_daemon_that_says_goodbye_to_the_hello_is_given_its_time(
    make_world, autojump_clock
):
    """It is on its way out, and says when the next may be there."""
    bye = {"op": "bye", "reason": "draining", "retry_after_s": 7}
    async with make_world(greetings=[bye]) as world:
        await world.daemon.wait_for("list_tools")
        took = trio.current_time()

    assert took >= 7
    assert 2 == world.daemon.visits


async def test_a_daemon_that_does_not_answer_the_hello_gets_no_calls(make_world, autojump_clock):
    """Whatever it says instead; who waits is told what that was."""
    async with make_world(greetings=[{"op": "tools_changed"}]) as world:
        world.call(1, token="p")
        await world.lines.wait_answer(1)
        told = world.lines.progress()

    assert "ToolsChanged" in told[0]["message"]
    assert (2, 1) == (world.daemon.visits, len(world.daemon.ops("call_tool")))


async def test_an_expired_token_is_followed_by_a_new_one_at_once(
    make_world, config, autojump_clock
):
    """bye "token expired": the call that runs is kept, and the next hello brings another JWT for the same session."""
    settings = attrs.evolve(config, jwt_secret_key="a secret that is long enough for it")
    async with make_world(settings, silent=True) as world:
        world.call(1, key="kept")
        await world.daemon.wait_for("call_tool")
        ended = trio.current_time()
        await world.daemon.send({"op": "bye", "reason": "token expired", "retry_after_s": 0})
        hello = await world.daemon.wait_for("hello", 2)
        away = trio.current_time() - ended
        await world.daemon.wait_for("list_tools", 2)
        await world.daemon.outcome("kept")
        await world.lines.wait_answer(1)

    assert hello["jwt"]
    assert away < 1


async def test_a_token_that_is_replaced_in_its_file_is_shown_at_the_next_connect(
    make_world, config, tmp_path, autojump_clock
):
    """An editor outlives the rotation."""
    file = tmp_path / "token"
    file.write_text("the-token-before-it\n")
    file.chmod(0o600)
    async with make_world(attrs.evolve(config, ws_token_file=file), silent=True) as world:
        first = await world.daemon.wait_for("hello")
        await world.daemon.wait_for("list_tools")
        file.write_text("the-token-after-it\n")
        await world.daemon.send({"op": "bye", "reason": "token revoked", "retry_after_s": 0})
        second = await world.daemon.wait_for("hello", 2)

    assert ("the-token-before-it", "the-token-after-it") == (first["token"], second["token"])
