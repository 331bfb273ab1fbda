"""`exai call` against a daemon that does as it is told."""

import json
import signal
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from exai_trio.commands.calling import call, follow_call
from exai_trio.commands.calling.call import Asked
from exai_trio.commands.calling.key_value import WordError
from exai_trio.commands.client import Client
from exai_trio.config import Config
from exai_trio.errors import (
    ArgumentError,
    CallInterrupted,
    CallTimeoutError,
    OverCapacityError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.messages import (
    Ack,
    Bye,
    CallAccepted,
    CallFailed,
    CallTool,
    Cancel,
    Fault,
    Hello,
    HelloAck,
    Progress,
    StreamChunk,
)

CHAT = Asked(tool="chat", pairs=(("prompt", "hello"),), roots=("/project",))
FAULT = Fault(
    code="PROVIDER_ERROR",
    message="no balance",
    category="provider",
    retryable=True,
    correlation_id="c-1",
    retry_after_s=3.0,
)


def envelope(content: str) -> str:
    offer = {"continuation_id": "id-1"}
    return json.dumps({"status": "success", "content": content, "continuation_offer": offer})


async def run(daemon, said, asked=CHAT, config=None, **console) -> int:
    return await call.run(config or Config(), asked, said.console(**console), dial=daemon.dial)


async def test_the_answer_goes_to_stdout(daemon, said, autojump_clock):
    """The content alone, without its envelope, and nothing on stderr when nobody watches."""

    async def on_call(daemon, message):
        await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call
    code = await run(daemon, said)

    assert (0, "the answer\n", "") == (code, said.out.getvalue(), said.err.getvalue())
    (asked,) = daemon.heard_of(CallTool)
    assert ("chat", {"prompt": "hello"}, True) == (asked.name, asked.arguments, asked.stream)


async def test_the_daemon_hears_who_asks_and_that_we_have_it(daemon, said, autojump_clock):
    """Hello names the working directory and protocol 2; the outcome is acked."""

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    daemon.on_call = on_call
    await run(daemon, said, config=Config(ws_token="tok"))

    (hello,) = daemon.heard_of(Hello)
    assert (["/project"], 2, "tok") == (hello.roots, hello.protocol, hello.token)
    assert [Ack(seq=1)] == daemon.heard_of(Ack)


async def test_on_a_terminal_the_answer_is_streamed(daemon, said, autojump_clock):
    """Progress on stderr until the first piece comes, then the pieces, and the answer not a second time."""

    async def on_call(daemon, message):
        rid = message.request_id
        progress = Progress(
            request_id=rid,
            name="chat",
            t="2026-11-20T12:00:00Z",
            stage="thinking",
            message="thinking",
            elapsed_s=1.5,
        )
        await daemon.say(progress)
        await daemon.say(StreamChunk(request_id=rid, index=0, chunk="the \x1b[2J"))
        await daemon.say(StreamChunk(request_id=rid, index=1, chunk="answer"))
        whole = envelope("the \x1b[2Janswer")
        await daemon.answer(message, whole, metadata={"simulated": True})

    daemon.on_call = on_call
    code = await run(daemon, said, live=True, screen=True)

    assert (0, "the [2Janswer\n") == (code, said.out.getvalue())
    assert "1.5 s  thinking" in said.err.getvalue()
    assert "simulated" in said.err.getvalue()
    assert "continuation_id=id-1" in said.err.getvalue()


async def test_json_is_the_whole_outcome(daemon, said, autojump_clock):
    """--json prints what the daemon said, and never streams."""

    async def on_call(daemon, message):
        await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call
    asked = Asked(tool="chat", pairs=(), as_json=True)
    code = await run(daemon, said, asked, screen=True)

    outcome = json.loads(said.out.getvalue())
    assert (0, True, envelope("the answer")) == (code, outcome["ok"], outcome["outputs"][0]["text"])
    assert not daemon.heard_of(CallTool)[0].stream


async def test_a_failure_says_what_to_do(daemon, said, autojump_clock):
    """Code and message on stderr, nothing on stdout, exit code 1."""

    async def on_call(daemon, message):
        await daemon.say(CallFailed(request_id=message.request_id, error=FAULT), sequenced=True)

    daemon.on_call = on_call
    code = await run(daemon, said)

    assert (1, "") == (code, said.out.getvalue())
    assert (
        "exai: chat: PROVIDER_ERROR: no balance\n"
        "      trying again in 3 s may help\n"
        "      more of it: exai logs c-1\n"
    ) == said.err.getvalue()


async def test_a_signal_cancels_the_call(daemon, said, autojump_clock):
    """Ctrl-C reaches the daemon as a cancel of this call, and its outcome is waited for."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)

    async def on_cancel(daemon, message):
        gone = attrs.evolve(FAULT, code="CANCELLED", message="cancelled", retryable=False)
        await daemon.say(CallFailed(request_id=message.request_id, error=gone))

    daemon.on_call, daemon.on_cancel = on_call, on_cancel
    code = await run(daemon, said)

    (asked,), (cancel,) = daemon.heard_of(CallTool), daemon.heard_of(Cancel)
    assert (130, asked.request_id) == (code, cancel.request_id)
    assert "CANCELLED" in said.err.getvalue()


async def test_a_daemon_that_does_not_cancel_is_left(daemon, said, autojump_clock):
    """After a signal we wait for a bounded time."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGTERM)

    async def on_cancel(daemon, message):
        await trio.lowlevel.checkpoint()

    daemon.on_call, daemon.on_cancel = on_call, on_cancel
    started = trio.current_time()
    code = await run(daemon, said)

    assert 130 == code
    assert trio.current_time() - started >= follow_call.CANCEL_S


async def test_a_second_signal_leaves_at_once(daemon, said, autojump_clock):
    """Whoever presses Ctrl-C twice does not wait."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)

    async def on_cancel(daemon, message):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)

    daemon.on_call, daemon.on_cancel = on_call, on_cancel
    started = trio.current_time()
    code = await run(daemon, said)

    assert 130 == code
    assert trio.current_time() - started < follow_call.CANCEL_S


async def test_values_are_typed_by_the_daemon_s_schema(daemon, said, autojump_clock):
    """The tool's own schema makes a list of one path; a tool that is not listed gets JSON where it is JSON."""

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    daemon.on_call = on_call
    await run(daemon, said, Asked(tool="chat", pairs=(("files", "/a"),)))
    await run(daemon, said, Asked(tool="hidden", pairs=(("n", "1"),)))

    assert [{"files": ["/a"]}, {"n": 1}] == [one.arguments for one in daemon.heard_of(CallTool)]


@pytest.mark.parametrize("name", ["test_echo", "test_echo-EXAI-WS"])
async def test_a_tool_that_is_hidden_has_its_schema(daemon, said, autojump_clock, name):
    """A tool that this package knows is typed by its schema, also where the daemon does not list it under that name."""

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    daemon.on_call = on_call
    await run(daemon, said, Asked(tool=name, pairs=(("prompt", "42"), ("delay_ms", "1"))))

    assert [{"prompt": "42", "delay_ms": 1}] == [one.arguments for one in daemon.heard_of(CallTool)]


async def test_a_text_that_is_no_envelope_is_the_answer(daemon, said, autojump_clock):
    """Whatever JSON it is, or begins like: it is printed as it is."""
    texts = [
        envelope('{"status":"x","content":"y"}'),
        '{"content": "y"}',
        "[" * 100_000,
        "1" * 5_000,
    ]

    async def on_call(daemon, message):
        await daemon.answer(message, texts[len(daemon.heard_of(CallTool)) - 1])

    daemon.on_call = on_call
    codes = [await run(daemon, said) for _ in texts]

    shown = ['{"status":"x","content":"y"}', *texts[1:]]
    assert ([0, 0, 0, 0], "\n".join([*shown, ""])) == (codes, said.out.getvalue())


async def test_a_wrong_value_is_never_sent(daemon, said, autojump_clock):
    """What the schema does not allow ends before the call."""
    with pytest.raises(WordError):
        await run(daemon, said, Asked(tool="chat", pairs=(("count", "many"),)))

    assert [] == daemon.heard_of(CallTool)


@pytest.mark.parametrize(
    ("greeting", "fault", "text"),
    [
        (HelloAck(ok=False, error="unauthorized"), UnauthorizedError, "EXAI_WS_TOKEN"),
        (Bye(reason="draining", retry_after_s=1.0), ServiceUnavailableError, "closing"),
        (None, ServiceUnavailableError, "draining"),
    ],
)
async def test_a_refused_hello_is_one_fault(daemon, said, greeting, fault, text):
    """Whatever the daemon refuses us with arrives as a fault of our tree, not in a group."""
    daemon.greeting = greeting

    with pytest.raises(fault, match=text):
        await run(daemon, said)


async def test_no_daemon_is_unreachable(daemon, said, autojump_clock):
    """Nobody there is an outcome of its own."""
    daemon.absent = True

    with pytest.raises(Unreachable):
        await run(daemon, said)


async def test_a_lost_connection_is_opened_again(daemon, said, autojump_clock):
    """We come back into our session, with the same request id, and say what we have; the answer is whole."""

    async def on_call(daemon, message):
        if len(daemon.heard_of(CallTool)) == 1:
            accepted = CallAccepted(request_id=message.request_id, name="chat", timeout=60.0)
            await daemon.say(accepted, sequenced=True)
            await daemon.say(StreamChunk(request_id=message.request_id, index=0, chunk="the "))
            daemon.greeting = attrs.evolve(daemon.greeting, resumed=True)
            await daemon.hang_up(1006)
        else:
            await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call
    code = await run(daemon, said, screen=True)

    assert (0, "the answer\n") == (code, said.out.getvalue())
    first, second = daemon.heard_of(Hello)
    assert (None, 0, "session_1", 1) == (
        first.session_id,
        first.last_seq,
        second.session_id,
        second.last_seq,
    )
    assert 1 == len({one.request_id for one in daemon.heard_of(CallTool)})


async def test_a_call_that_was_never_sent_is_sent_to_the_next_daemon(daemon, said, autojump_clock):
    """The first one ended after it had listed its tools: nothing has run, and nothing is said to have been interrupted."""
    send = Client.send

    async def lost(client, message):
        if isinstance(message, CallTool) and not daemon.heard_of(CallTool) and not losses:
            losses.append(message.request_id)
            server = attrs.evolve(daemon.greeting.server, boot_id="another")
            daemon.greeting = attrs.evolve(daemon.greeting, server=server)
            await daemon.hang_up(1012)
            raise PeerGone
        await send(client, message)

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    losses = []
    daemon.on_call = on_call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "send", lost)
        code = await run(daemon, said)

    assert (0, "x\n") == (code, said.out.getvalue())
    assert losses == [call.request_id for call in daemon.heard_of(CallTool)]


@pytest.mark.parametrize(("accepts", "known"), [(True, "may already"), (False, "not known")])
async def test_a_restarted_daemon_is_not_asked_twice(daemon, said, autojump_clock, accepts, known):
    """A daemon that has forgotten the call may not run it again unasked; we say what we know of the one before."""

    async def on_call(daemon, message):
        if accepts:
            accepted = CallAccepted(request_id=message.request_id, name="chat", timeout=60.0)
            await daemon.say(accepted, sequenced=True)
        server = attrs.evolve(daemon.greeting.server, boot_id="another")
        daemon.greeting = attrs.evolve(daemon.greeting, server=server)
        await daemon.hang_up(1012)

    daemon.on_call = on_call

    with pytest.raises(CallInterrupted, match=f"started anew.*{known}"):
        await run(daemon, said)
    assert 1 == len(daemon.heard_of(CallTool))


async def test_a_restarted_daemon_that_knows_the_call_answers_it(daemon, said, autojump_clock):
    """It has taken the call up from its journal: sent again, the call joins."""

    async def on_call(daemon, message):
        if len(daemon.heard_of(CallTool)) == 1:
            server = attrs.evolve(daemon.greeting.server, boot_id="another")
            daemon.greeting = attrs.evolve(daemon.greeting, server=server, resumed=True)
            await daemon.hang_up(1012)
        else:
            await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call

    assert 0 == await run(daemon, said, screen=True)
    assert 1 == len({one.request_id for one in daemon.heard_of(CallTool)})


@pytest.mark.parametrize(("absent", "fault"), [(False, PeerGone), (True, Unreachable)])
async def test_coming_back_is_given_up(daemon, said, autojump_clock, absent, fault):
    """After the last wait the loss is the outcome."""

    async def on_call(daemon, message):
        daemon.absent = absent
        await daemon.hang_up(1011)

    daemon.on_call = on_call
    started = trio.current_time()

    with pytest.raises(fault):
        await run(daemon, said)
    assert trio.current_time() - started >= sum(follow_call.RETURN_S)


async def test_a_daemon_that_falls_silent_is_left_and_found_again(daemon, said, autojump_clock):
    """One that is stopped keeps its connection: a ping without an answer ends that, and the answer comes over the next."""

    async def on_call(daemon, message):
        if len(daemon.heard_of(CallTool)) == 1:
            daemon.greeting = attrs.evolve(daemon.greeting, resumed=True)
            daemon.freeze()
        else:
            await daemon.answer(message, "the answer")

    daemon.on_call = on_call
    config = Config(ws_ping_interval=30.0, ws_ping_timeout=10.0)
    started = trio.current_time()
    code = await run(daemon, said, config=config)

    assert (0, "the answer\n") == (code, said.out.getvalue())
    assert 40.0 <= trio.current_time() - started < 45.0


async def test_a_daemon_that_answers_pings_is_waited_for(daemon, said, autojump_clock):
    """A call that takes many pings is one call on one connection."""

    async def on_call(daemon, message):
        await trio.sleep(500)
        await daemon.answer(message, "the answer")

    daemon.on_call = on_call

    assert (0, "the answer\n") == (await run(daemon, said), said.out.getvalue())
    assert 1 == len(daemon.heard_of(Hello))


async def test_a_call_is_given_up_at_its_own_deadline(daemon, said, autojump_clock):
    """A daemon that answers pings and nothing else has the call's time, and a little for its own word."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()

    daemon.on_call = on_call
    started = trio.current_time()

    with pytest.raises(CallTimeoutError, match=r"within 105 s.* may still run"):
        await run(daemon, said, Asked(tool="chat", timeout_s=100.0))
    assert 105.0 <= trio.current_time() - started < 110.0


async def test_without_a_deadline_the_daemon_s_promise_counts(daemon, said, autojump_clock):
    """A call may run twice as long as the longest, since it may be run twice, and no longer."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()

    daemon.on_call = on_call
    daemon.greeting = attrs.evolve(daemon.greeting, limits={"call_timeout_s": 1000.0})

    with pytest.raises(CallTimeoutError, match="within 2060 s"):
        await run(daemon, said)


async def test_a_signal_while_the_daemon_is_away_ends_all(daemon, said, autojump_clock):
    """There is nobody to be told: the first Ctrl-C leaves at once, and says what that means for the call."""

    async def on_call(daemon, message):
        daemon.absent = True
        await daemon.hang_up(1011)

    async def interrupt():
        await trio.sleep(1.0)
        signal.raise_signal(signal.SIGINT)

    daemon.on_call = on_call
    async with trio.open_nursery() as beside:
        beside.start_soon(interrupt)
        code = await run(daemon, said)

    assert 130 == code
    assert trio.current_time() < 1.5
    assert said.err.getvalue().endswith(
        "no daemon was asked to cancel the call, so it may still run\n"
    )


async def test_a_signal_before_the_call_is_sent_ends_all(said, autojump_clock):
    """Whoever does not want to wait for the connection has called nothing."""

    @asynccontextmanager
    async def dial(host, port, limits):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()
        yield

    code = await call.run(Config(), CHAT, said.console(), dial=dial)

    assert (130, "exai: stopped waiting; the call was not sent\n") == (code, said.err.getvalue())


async def test_a_connection_lost_after_a_signal_is_not_opened_again(daemon, said, autojump_clock):
    """A daemon that goes away instead of cancelling has been asked, and more cannot be done."""

    async def on_call(daemon, message):
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)

    async def on_cancel(daemon, message):
        await daemon.hang_up(1011)

    daemon.on_call, daemon.on_cancel = on_call, on_cancel
    code = await run(daemon, said)

    assert (130, 1) == (code, len(daemon.heard_of(Hello)))
    assert "was asked to cancel the call" in said.err.getvalue()


async def test_an_outcome_that_came_before_the_signal_is_told(daemon, said, autojump_clock):
    """A signal while we say goodbye takes nothing back."""

    async def on_call(daemon, message):
        await daemon.answer(message, "the answer")
        daemon.freeze()
        await trio.sleep(0.5)
        signal.raise_signal(signal.SIGINT)

    daemon.on_call = on_call

    assert (0, "the answer\n") == (await run(daemon, said), said.out.getvalue())


async def test_a_call_larger_than_the_daemon_takes_is_not_sent(daemon, said, autojump_clock):
    """The daemon has said how much it takes in bytes, and which setting that is."""
    daemon.greeting = attrs.evolve(daemon.greeting, limits={"max_frame_bytes": 1000.0})

    with pytest.raises(OverCapacityError, match="EXAI_WS_MAX_BYTES"):
        await run(daemon, said, Asked(tool="chat", pairs=(("prompt", "ä" * 500),)))
    assert [] == daemon.heard_of(CallTool)


async def test_a_value_that_cannot_be_sent_is_one_fault(daemon, said, autojump_clock):
    """Half a character, which JSON can write and UTF-8 cannot."""
    with pytest.raises(ArgumentError, match="lone surrogate"):
        await run(daemon, said, Asked(tool="hidden", pairs=(("x", '"\\ud800"'),)))
    assert [] == daemon.heard_of(CallTool)


async def test_a_message_that_was_too_large_is_not_sent_again(daemon, said, autojump_clock):
    """A daemon that closes over the size would close again."""

    async def on_call(daemon, message):
        await daemon.hang_up(1009)

    daemon.on_call = on_call

    with pytest.raises(OverCapacityError, match="EXAI_WS_MAX_BYTES"):
        await run(daemon, said)
    assert 1 == len(daemon.heard_of(CallTool))


async def test_a_draining_daemon_may_finish_the_call(daemon, said, autojump_clock):
    """A goodbye during a call is no reason to leave before the outcome."""

    async def on_call(daemon, message):
        await daemon.say(Bye(reason="draining", retry_after_s=1.0))
        await daemon.answer(message, "still in time")

    daemon.on_call = on_call

    assert (0, "still in time\n") == (await run(daemon, said), said.out.getvalue())


async def test_a_mute_listener_is_unreachable(said, autojump_clock):
    """Something that accepts and never speaks is given up after a bounded time."""

    @asynccontextmanager
    async def dial(host, port, limits):
        await trio.sleep_forever()
        yield

    with pytest.raises(Unreachable, match="did not answer"):
        await call.run(Config(), CHAT, said.console(), dial=dial)


async def test_cancelled_anywhere_nothing_is_left(daemon, said, cancel_at_every_step):
    """Cancelled at any step, the command ends, and the signals are the process's again."""
    before = signal.getsignal(signal.SIGINT)

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    daemon.on_call = on_call

    async def scenario() -> None:
        await run(daemon, said)

    def invariant() -> None:
        assert before == signal.getsignal(signal.SIGINT)

    assert await cancel_at_every_step(scenario, invariant) > 20


def test_word_errors_are_faults_of_ours():
    """They pass the connection's border like every other fault of the tree."""
    assert "VALIDATION_ERROR" == WordError("x").code


async def test_pieces_that_were_lost_are_made_up_for(daemon, said, autojump_clock):
    """Where what came in pieces is no beginning of the answer, the whole answer follows, and stderr says so."""

    async def on_call(daemon, message):
        await daemon.say(StreamChunk(request_id=message.request_id, index=7, chunk="swer"))
        await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call
    code = await run(daemon, said)

    assert (0, "swer\nthe answer\n") == (code, said.out.getvalue())
    assert "pieces of the answer were lost" in said.err.getvalue()


async def test_relative_paths_are_the_shells(daemon, said, autojump_clock):
    """Arguments that are paths begin in the working directory; others stay as they were typed."""

    async def on_call(daemon, message):
        await daemon.answer(message, "x")

    daemon.on_call = on_call
    pairs = (("files", "src/a.py"), ("files", "/b.py"), ("prompt", "src/a.py"))
    await run(daemon, said, Asked(tool="chat", pairs=pairs, folder="/project"))

    (asked,) = daemon.heard_of(CallTool)
    assert {"files": ["/project/src/a.py", "/b.py"], "prompt": "src/a.py"} == asked.arguments


async def test_a_reader_that_leaves_cancels_the_call(daemon, said, autojump_clock):
    """Nobody reads stdout any more: the daemon hears a cancel, and the fault leaves as it is."""

    async def on_call(daemon, message):
        await daemon.say(StreamChunk(request_id=message.request_id, index=0, chunk="the "))

    async def on_cancel(daemon, message):
        cancelled = attrs.evolve(FAULT, code="CANCELLED")
        failed = CallFailed(request_id=message.request_id, error=cancelled)
        await daemon.say(failed, sequenced=True)

    daemon.on_call, daemon.on_cancel = on_call, on_cancel
    console = attrs.evolve(said.console(), out=Unread())
    with pytest.raises(BrokenPipeError):
        await call.run(Config(), CHAT, console, dial=daemon.dial)

    assert 1 == len(daemon.heard_of(Cancel))


class Unread:
    """A pipe that nobody reads."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError
