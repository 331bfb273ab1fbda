"""Answers that no message to their client holds."""

import attrs
import pytest
import trio

from exai_trio.daemon.calls import large_outcomes
from exai_trio.daemon.calls.large_outcomes import FRAME_BYTES, is_too_large
from exai_trio.principals import OWNER
from exai_trio.storage.journal import KeptCall
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ANSWER_TOO_LARGE, CallFailed, CallResult, CallTool, Output

MOST = 100_000
QUOTES = (
    '"' * 40_000
)  # two bytes each in the request, four in the answer, which is JSON within JSON
CLIENTS = {"setting": ({"ws_max_bytes": MOST}, {}), "hello": ({}, {"max_frame_bytes": MOST})}


def echo(text, request_id="r"):
    return CallTool(request_id=request_id, name="test_echo", arguments={"prompt": text})


@pytest.mark.parametrize("limited_by", CLIENTS)
async def test_an_answer_that_no_frame_holds_is_kept_in_a_file(house, tmp_path, limited_by):
    """Its client is told where it is, and that the call has run; the connection lives, and the next answer comes."""
    settings, hello = CLIENTS[limited_by]
    async with house(home=tmp_path, **settings) as daemon, daemon.connect(**hello) as (client, _):
        await client.say(echo(QUOTES))
        failed = await client.hear_until(CallFailed)
        await client.say(echo("short", "next"))
        result = await client.hear_until(CallResult)
    (kept,) = (tmp_path / "files").iterdir()

    assert ("r", "OVER_CAPACITY", False) == (
        failed.request_id,
        failed.error.code,
        failed.error.retryable,
    )
    assert (ANSWER_TOO_LARGE, str(kept)) == (
        failed.error.details["reason"],
        failed.error.details["path"],
    )
    assert str(kept) in failed.error.message
    assert kept.read_text().count('\\"') >= len(QUOTES)
    assert 0o600 == kept.stat().st_mode & 0o777
    assert "next" == result.request_id


async def test_a_call_of_an_earlier_daemon_answers_within_the_limit(
    house, journal, tmp_path, autojump_clock
):
    """Also before its client has come back: else no connection could ever bring it the answer."""
    begun = KeptCall(
        session="win",
        request='"r"',
        principal=OWNER,
        resumable=True,
        seq=1,
        frame=encode(echo(QUOTES)),
        roots=(),
        timeout=60.0,
        at=0.0,
    )
    await journal.accept(begun)
    async with house(journal, home=tmp_path, ws_max_bytes=MOST) as daemon:
        await daemon.calls.wait_none()
        async with daemon.connect(session_id="win", last_seq=1) as (client, _):
            with trio.fail_after(30):
                failed = await client.hear_until(CallFailed)

    assert ("r", ANSWER_TOO_LARGE) == (failed.request_id, failed.error.details["reason"])


@pytest.mark.parametrize("text", ["x" * MOST, "é" * MOST, "\x00" * MOST, "😀" * MOST])
def test_the_last_byte_counts(text):
    """Whatever the characters are."""
    outcome = CallResult(request_id="r", outputs=[Output(text=text)])
    size = len(encode(outcome).encode())

    assert not is_too_large(outcome, size + FRAME_BYTES)
    assert is_too_large(outcome, size + FRAME_BYTES - 1)


async def test_an_answer_that_cannot_be_kept_is_told_too(house, tmp_path):
    """The call ends, and says why its answer is nowhere."""
    (tmp_path / "files").write_text("in the way")
    async with (
        house(home=tmp_path, ws_max_bytes=MOST) as daemon,
        daemon.connect() as (client, _),
    ):
        await client.say(echo(QUOTES))
        failed = await client.hear_until(CallFailed)

    assert "could not be kept" in failed.error.message


async def test_a_client_of_protocol_1_is_told_every_text_twice(house, tmp_path):
    """So half as much fits into its frames."""
    async with (
        house(home=tmp_path, ws_max_bytes=MOST) as daemon,
        daemon.connect(protocol=1) as (client, _),
    ):
        await client.say(echo("x" * (MOST * 6 // 10)))
        failed = await client.hear_until(CallFailed)

    assert "OVER_CAPACITY" == failed.error.code


@pytest.mark.parametrize("again", [MOST, 2 * MOST + 1_000_000])
async def test_an_answer_that_waits_fits_whoever_comes_for_it(
    house, tmp_path, autojump_clock, again
):
    """The call was made, and its answer given, for larger frames than those that the client takes when it comes back."""
    async with house(home=tmp_path) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.say(echo(QUOTES))
            await client.hear_until(CallResult)
        async with daemon.connect(session_id="win", last_seq=1, max_frame_bytes=again) as (
            client,
            _,
        ):
            with trio.fail_after(30):
                heard = await client.hear_until((CallFailed, CallResult))
            await client.say(echo("short", "next"))
            result = await client.hear_until(CallResult)
            number = client.last_seq
    kept = list((tmp_path / "files").glob("*")) if (tmp_path / "files").exists() else []

    assert (again == MOST, again == MOST) == (isinstance(heard, CallFailed), bool(kept))
    assert ("r", "next", 4) == (heard.request_id, result.request_id, number)
    if again == MOST:
        assert (ANSWER_TOO_LARGE, str(kept[0])) == (
            heard.error.details["reason"],
            heard.error.details["path"],
        )


async def test_a_session_does_not_end_while_its_answer_is_put_into_a_file(
    house, tmp_path, monkeypatch, autojump_clock
):
    """However long that takes: the client that comes for the answer has it, and calls again."""
    put = large_outcomes.in_file

    async def slowly(*given):
        await trio.sleep(60)
        return await put(*given)

    async with house(home=tmp_path, session_grace_s=1.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.say(echo(QUOTES))
            await client.hear_until(CallResult)
        monkeypatch.setattr(large_outcomes, "in_file", slowly)
        async with daemon.connect(session_id="win", last_seq=1, max_frame_bytes=MOST) as (
            client,
            ack,
        ):
            failed = await client.hear_until(CallFailed)
            await client.say(echo("short", "next"))
            result = await client.hear_until(CallResult)

    assert (True, "r", "next") == (ack.resumed, failed.request_id, result.request_id)


async def test_an_answer_that_is_acknowledged_while_it_is_put_into_a_file_is_left_alone(
    house, tmp_path, monkeypatch
):
    """The client's earlier connection had brought it, and it is not known any more."""
    written = []

    async with house(home=tmp_path) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.say(echo(QUOTES))
            await client.hear_until(CallResult)

        async def meanwhile(path, *_given):
            session = daemon.sessions.table["win"]
            session.rules.bounds = attrs.evolve(session.rules.bounds, kept_outcomes=0)
            session.rules.acknowledge(session.rules.last_seq)
            written.append(path)
            return ""

        monkeypatch.setattr(large_outcomes, "in_file", meanwhile)
        async with daemon.connect(session_id="win", last_seq=1, max_frame_bytes=MOST) as (
            client,
            _,
        ):
            await client.say(echo("short", "next"))
            result = await client.hear_until((CallFailed, CallResult))

    assert (1, "next") == (len(written), result.request_id)
