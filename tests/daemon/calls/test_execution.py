"""What becomes of a call: one outcome, whatever happens, and its permits are free afterwards."""

import logging
from itertools import pairwise

import msgspec
import pytest
import trio
from msgspec import UNSET

from exai_trio.daemon.calls import large_outcomes
from exai_trio.errors import CallCancelled, CallInterrupted
from exai_trio.observability import logs
from exai_trio.wire.messages import (
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ErrorReply,
    Health,
    HealthReport,
    ListTools,
    Ping,
    Pong,
    Progress,
    StreamChunk,
    ToolList,
)


async def test_a_call_is_accepted_then_answered(house, autojump_clock):
    """First the acknowledgement, then the result with its latency metrics and usage."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=2.0)
        accepted, outcome = await client.hear(), await client.hear_until(CallResult)

    assert CallAccepted(request_id="r1", name="nap", timeout=60.0, repeatable=True) == accepted
    assert "slept 2" == outcome.outputs[0].text
    metrics = outcome.outputs[0].metadata["latency_metrics"]
    assert 2000 <= metrics["latency_ms"] < 2100
    assert {"global_sem_wait_ms", "provider_sem_wait_ms", "processing_ms", "provider_name"} < set(
        metrics
    )
    assert {"input_tokens": 1} == outcome.usage


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (CallTool(request_id="r", name="no_such_tool"), "TOOL_NOT_FOUND"),
        ('{"op":"call_tool","request_id":"r"}', "INVALID_REQUEST"),
        (CallTool(request_id="r", name="chat", arguments={"prompt": ""}), "VALIDATION_ERROR"),
        (
            CallTool(request_id="r", name="chat", arguments={"prompt": "x", "temperature": 3}),
            "VALIDATION_ERROR",
        ),
        (CallTool(request_id="r", name="nap", arguments={"bed": 1}), "VALIDATION_ERROR"),
        (CallTool(request_id="r", name="nap", arguments={"seconds": "x"}), "VALIDATION_ERROR"),
        ('{"op":"call_tool","request_id":"r","name":"nap","arguments":{"a":"\\ud800"}}', "INVALID_REQUEST"),
    ],
)  # fmt: skip
async def test_a_refusal_is_the_first_frame_after_the_request(house, autojump_clock, frame, code):
    """No acknowledgement or progress comes before it, and it carries the request id."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say(frame)
        heard = await client.hear()

    assert isinstance(heard, CallFailed)
    assert ("r", code) == (heard.request_id, heard.error.code)
    assert heard.error.message


@pytest.mark.parametrize("prompt", ["x" * 2000, "試" * 700], ids=["ascii", "wide"])
async def test_a_message_over_the_call_limit_is_refused_and_the_connection_lives(
    house, autojump_clock, prompt
):
    """TOOL_CALL_MAX_SIZE, in bytes, gives OVER_CAPACITY, and nobody is told to send the same again; the next request is
    answered."""
    async with house(tool_call_max_size=1000) as daemon, daemon.connect() as (client, _):
        await client.say(CallTool(request_id="big", name="chat", arguments={"prompt": prompt}))
        refused = await client.hear()
        await client.say(Ping())
        answer = await client.hear()

    assert ("big", "OVER_CAPACITY") == (refused.request_id, refused.error.code)
    assert (False, UNSET) == (refused.error.retryable, refused.error.retry_after_s)
    assert isinstance(answer, Pong)


async def test_every_reply_carries_the_request_id_of_its_frame(house, autojump_clock):
    """Also for unknown ops and for a cancel of nothing: a reply without it makes a client hang."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say('{"op":"dance","request_id":"a"}', Cancel(request_id="b"))
        await client.say(Ping(request_id="c"), ListTools(request_id="d"), Health(request_id="e"))
        heard = [await client.hear() for _ in range(5)]

    assert [ErrorReply, ErrorReply, Pong, ToolList, HealthReport] == [type(m) for m in heard]
    assert list("abcde") == [m.request_id for m in heard]


async def test_a_crash_in_a_tool_is_a_typed_failure_that_names_the_logs_id(
    house, autojump_clock, caplog
):
    """The message says nothing of the inside; the log does, once, under the same id."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(fault="the secret inside")
        outcome = await client.hear_until(CallFailed)
        await client.nap("r2")
        after = await client.hear_until(CallResult)

    assert "INTERNAL_ERROR" == outcome.error.code
    assert "secret" not in outcome.error.message
    crashes = [record for record in caplog.records if record.message == "call crashed"]
    assert [outcome.error.correlation_id] == [record.correlation_id for record in crashes]
    assert isinstance(after, CallResult)


class Signatures(logging.Handler):
    """Notes whose each log line is."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        names = (logs.session_id.get(), logs.request_id.get(), logs.correlation_id.get())
        self.seen.append((*names, record.correlation_id))


@pytest.fixture
def signatures():
    noting = Signatures()
    logging.getLogger("exai.calls").addHandler(noting)
    yield noting.seen
    logging.getLogger("exai.calls").removeHandler(noting)


async def test_what_a_call_logs_is_signed(house, journal, signatures, autojump_clock):
    """Also what it logs when another daemon has begun it."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap("old", seconds=5.0, fault="x")
        await client.hear_until(CallAccepted)
    async with house(journal) as second, second.connect(session_id="win") as (client, _):
        await client.nap("new", fault="x")
        for _ in range(2):
            await client.hear_until(CallFailed)

    assert [("win", "new"), ("win", "old")] == [one[:2] for one in signatures]
    assert all(mine == logged for _, _, mine, logged in signatures)


async def test_a_call_ends_at_its_deadline(house, autojump_clock):
    """The client's earlier timeout counts; the failure says TIMEOUT and the tool was cancelled."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=50.0, timeout_s=5.0)
        accepted = await client.hear()
        outcome = await client.hear_until(CallFailed)
        naps, free = daemon.naps, daemon.free_permits

    assert 5.0 == accepted.timeout
    assert "TIMEOUT" == outcome.error.code
    assert (1, 0, 24) == (naps.cancelled, naps.finished, free)


async def test_what_a_tool_answered_in_time_has_no_deadline(house, autojump_clock, monkeypatch):
    """However long it takes then to put a large result where its client can fetch it."""

    async def slow(_call, outcome):
        await trio.sleep(100)
        return outcome

    monkeypatch.setattr(large_outcomes, "by_reference", slow)
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=4.0, timeout_s=5.0)
        outcome = await client.hear_until(CallResult)

    assert ["slept 4"] == [output.text for output in outcome.outputs]


async def test_a_client_cannot_ask_for_more_time_than_the_setting(house, autojump_clock):
    """SIMPLE_TOOL_TIMEOUT_SECS is the most."""
    async with (
        house(simple_tool_timeout_secs=7.0) as daemon,
        daemon.connect() as (client, _),
    ):
        await client.nap(timeout_s=1000.0)
        accepted = await client.hear()

    assert 7.0 == accepted.timeout


async def test_a_cancel_is_accepted_then_the_one_outcome_follows(house, autojump_clock):
    """`cancelled`, then call_tool_res CANCELLED; the tool is stopped and its permit free."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=50.0)
        await client.hear()
        await client.say(Cancel(request_id="r1"))
        heard = [await client.hear(), await client.hear()]
        naps, free = daemon.naps, daemon.free_permits

    assert CallCancelling(request_id="r1") == heard[0]
    assert "CANCELLED" == heard[1].error.code
    assert (1, 24) == (naps.cancelled, free)


async def test_pings_are_answered_while_calls_run(house, autojump_clock):
    """The reader never waits for a call."""
    async with house() as daemon, daemon.connect() as (client, _):
        for number in range(8):
            await client.nap(f"r{number}", seconds=10.0)
        await client.say(Ping(request_id="p"))
        started = trio.current_time()
        await client.hear_until(Pong)

        assert started == trio.current_time()


async def test_two_calls_of_one_client_run_at_the_same_time(house, autojump_clock):
    """Two naps of 3 s take 3 s."""
    async with house() as daemon, daemon.connect() as (client, _):
        started = trio.current_time()
        await client.nap("a", seconds=3.0)
        await client.nap("b", seconds=3.0)
        await client.hear_until(CallResult)
        await client.hear_until(CallResult)
        took = trio.current_time() - started

    assert 3 <= took < 3.5


async def test_more_calls_than_the_session_allows_are_refused_the_accepted_ones_finish(
    house, autojump_clock
):
    """2,000 requests at once: each gets its own answer, as many run as are allowed, nothing accepted is lost."""
    many = 2_000
    async with house() as daemon, daemon.connect() as (client, _):
        outcomes = {}

        async def listen():
            while len(outcomes) < many:
                heard = await client.hear()
                if isinstance(heard, CallResult | CallFailed):
                    assert heard.request_id not in outcomes
                    outcomes[heard.request_id] = heard
                if client.last_seq % 100 == 0:
                    await client.acknowledge()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            for number in range(many):
                await client.nap(f"r{number}", seconds=5.0)

    refused = [o for o in outcomes.values() if isinstance(o, CallFailed)]
    assert {"OVER_CAPACITY"} == {o.error.code for o in refused}
    assert all(o.error.retry_after_s for o in refused)
    assert daemon.naps.finished == many - len(refused) == daemon.counted.accepted >= 8


async def test_calls_over_the_daemons_limit_wait_and_say_so(house, autojump_clock):
    """The second of two calls with one permit is queued, and its wait is in the metrics."""
    async with house(ws_global_max_inflight=1) as daemon, daemon.connect() as (client, _):
        await client.nap("a", seconds=3.0)
        await client.nap("b", seconds=1.0)
        queued = await client.hear_until(Progress)
        await client.hear_until(CallResult)
        second = await client.hear_until(CallResult)

    assert ("b", "queued") == (queued.request_id, queued.stage)
    metrics = second.outputs[0].metadata["latency_metrics"]
    assert 3000 <= metrics["global_sem_wait_ms"] < 3100
    assert 1000 <= metrics["processing_ms"] < 1100


async def test_a_call_that_has_waited_for_its_place_says_that_it_runs(house, autojump_clock):
    """The last stage that its client hears is not a wait that is over."""
    async with house(ws_global_max_inflight=1) as daemon, daemon.connect() as (client, _):
        await client.nap("a", seconds=1.0)
        await client.nap("b", seconds=1.0)
        heard = [await client.hear() for _ in range(6)]

    stages = [m.stage for m in heard if isinstance(m, Progress) and m.request_id == "b"]
    assert ["queued", "running"] == stages


async def test_the_wait_for_a_provider_is_told_apart_from_the_work(house, autojump_clock):
    """All waits of one call are added up."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=5.0)
        await client.hear_until(CallAccepted)
        for _ in range(2):
            daemon.sessions.table["win"].calls.table["r1"].waited_for_provider("glm", 1.5)
        outcome = await client.hear_until(CallResult)

    metrics = outcome.outputs[0].metadata["latency_metrics"]
    assert ("glm", 3000) == (metrics["provider_name"], metrics["provider_sem_wait_ms"])
    assert 2000 <= metrics["processing_ms"] < 2100


async def test_the_first_reason_for_which_a_call_is_ended_counts(house, autojump_clock):
    """A daemon that is about to go takes nothing back of what the client asked for."""
    async with house(durability="off") as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=5.0)
        await client.hear_until(CallAccepted)
        call = daemon.sessions.table["win"].calls.table["r1"]
        call.end(CallCancelled("the client"))
        call.end(CallInterrupted("the daemon"))
        outcome = await client.hear_until(CallFailed)

    assert "CANCELLED" == outcome.error.code


async def test_a_silent_call_says_that_it_runs_at_least_every_interval(house, autojump_clock):
    """EXAI_PROGRESS_INTERVAL_S apart at the most, with the stage as it is."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=20.0, stages=["thinking"])
        said = [trio.current_time()]
        while not isinstance(heard := await client.hear(), CallResult):
            if isinstance(heard, Progress):
                said.append(trio.current_time())
                assert "thinking" == heard.stage
        gaps = [later - earlier for earlier, later in pairwise(said)]

    assert len(gaps) >= 8
    assert max(gaps) <= 2.5


async def test_a_stage_that_goes_on_is_not_said_again_at_once(house, autojump_clock):
    """A tool may say it as often as it likes: its client hears of each change, in the tool's words."""
    async with house() as daemon, daemon.connect() as (client, _):
        await trio.sleep(100)
        await client.nap(stages=["thinking", "thinking", "writing", "writing"])
        heard = [await client.hear() for _ in range(4)]

    assert [CallAccepted, Progress, Progress, CallResult] == [type(m) for m in heard]
    said = [(message.stage, message.message) for message in heard[1:3]]
    assert [("thinking", "now thinking"), ("writing", "now writing")] == said


async def test_a_piece_of_nothing_is_no_chunk(house, autojump_clock):
    """The numbers of the pieces have no gap for it."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(chunks=["", "x", "", "y"], between=1.0, stream=True)
        heard = [await client.hear() for _ in range(4)]

    assert [(0, "x"), (1, "y")] == [(m.index, m.chunk) for m in heard if isinstance(m, StreamChunk)]


async def test_chunks_reach_only_a_client_that_asked_for_them(house, autojump_clock):
    """With stream true each piece comes with its index; without, none."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap("a", chunks=["x", "y"], between=1.0, stream=True)
        heard = [await client.hear() for _ in range(4)]
        await client.nap("b", chunks=["x", "y"])
        quiet = [await client.hear() for _ in range(2)]

    chunks = [m for m in heard if isinstance(m, StreamChunk)]
    assert [(0, "x"), (1, "y")] == [(m.index, m.chunk) for m in chunks]
    assert [CallAccepted, CallResult] == [type(m) for m in quiet]


async def test_pieces_of_one_moment_come_as_one_and_in_their_place(house, autojump_clock):
    """A hundred that a provider sent together are one frame: before a stage that was said after them, and before the outcome."""
    said = [f"piece {number}, " for number in range(100)]
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap("a", chunks=said, then="writing", seconds=1.0, stream=True)
        staged = [await client.hear() for _ in range(4)]
        await client.nap("b", chunks=["at", " the end"], stream=True)
        ended = [await client.hear() for _ in range(3)]

    assert [CallAccepted, StreamChunk, Progress, CallResult] == [type(m) for m in staged]
    assert (0, "".join(said)) == (staged[1].index, staged[1].chunk)
    assert [CallAccepted, StreamChunk, CallResult] == [type(m) for m in ended]


async def test_each_call_leaves_one_line_in_the_call_log(house, autojump_clock):
    """t, op, lat, sess, name and prov, and whether it went well."""
    async with house() as daemon, daemon.connect(session_id="window") as (client, _):
        await client.nap(seconds=1.5)
        await client.hear_until(CallResult)
        await client.nap("r2", fault="x")
        await client.hear_until(CallFailed)
        files = daemon.parts.files.logs
        lines, asked = (
            [msgspec.json.decode(log.encode(line)) for line in log.waiting]
            for log in (files.metrics, files.toolcalls)
        )

    assert [("nap", True, ""), ("nap", False, "INTERNAL_ERROR")] == [
        (line["name"], line["ok"], line["code"]) for line in lines
    ]
    assert 1.5 <= lines[0]["lat"] < 1.6
    assert ("call_tool", "window", "") == (lines[0]["op"], lines[0]["sess"], lines[0]["prov"])
    assert [(True, {"seconds": 1.5}), (False, {"fault": "x"})] == [
        (line["ok"], line["arguments"]) for line in asked
    ]
