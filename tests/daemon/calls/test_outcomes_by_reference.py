"""Large results by reference, from the call to the last byte in a client's hands."""

import attrs
import pytest
import trio
from payloads_in_memory import MemoryPayloads

from exai_trio.bus.payload_files import path_of, stored_names
from exai_trio.errors import StorageError
from exai_trio.tools.base import Answer, Tool
from exai_trio.wire.messages import (
    ANSWER_NOT_KEPT,
    ANSWER_TOO_LARGE,
    CallFailed,
    CallResult,
    CallTool,
    ErrorReply,
    Health,
    HealthReport,
    PayloadAck,
    PayloadGet,
)
from exai_trio.wire.payload_frames import INLINE_BYTES, decode_piece, reference_in

MIB = 2**20
ACCEPTS = {"accepts": ["payload_ref", "something_new"]}
OLD_CLIENTS = {"accepts nothing": {}, "protocol 1": {**ACCEPTS, "protocol": 1}}


@attrs.frozen(kw_only=True)
class TextArguments:
    """How long the text is to be, in bytes."""

    size: int
    letter: str = "x"
    half: bool = False
    after: float = 0.0


async def give_text(arguments, _caller, _services):
    await trio.sleep(arguments.after)
    length = len(arguments.letter.encode())
    text = arguments.letter * (arguments.size // length) + arguments.half * "\ud800"
    return Answer(text=text, metadata={"told": 1})


TEXT = Tool(
    name="text", description="Text.", arguments=TextArguments, run=give_text, repeatable=True
)


@pytest.fixture
def home(house, tmp_path):
    """A daemon with a tool that gives a text of any length, and a disk."""

    def opened(journal=None, **settings):
        return house(journal, tools=(TEXT,), **{"home": tmp_path, **settings})

    return opened


def asks(size=2 * MIB, request_id="r", **arguments):
    handle = arguments.pop("handle_after_s", None)
    return CallTool(
        request_id=request_id,
        name="text",
        arguments={"size": size, **arguments},
        handle_after_s=handle,
    )


async def result_of(client, *messages):
    await client.say(*messages)
    return await client.hear_until((CallResult, CallFailed))


async def fetch(client, transaction_id, offset=0):
    """The text from there on."""
    got = b""
    while True:
        await client.say(
            PayloadGet(request_id="g", transaction_id=transaction_id, offset=offset + len(got))
        )
        piece = decode_piece(await client.socket.receive())
        assert ("g", offset + len(got)) == (piece.about.request_id, piece.about.offset)
        got += piece.data
        if piece.about.last:
            return got.decode()


async def bus_bytes(client):
    await client.say(Health())
    return (await client.hear_until(HealthReport)).health["storage"]["bus_bytes"]


async def test_health_says_what_large_results_take(home):
    """Their files on the disk."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        before = await bus_bytes(client)
        await result_of(client, asks())
        after = await bus_bytes(client)
        files = [path.stat().st_size for path in daemon.environment.bus.folder.glob("*/txn_*")]

    assert (0, sum(files)) == (before, after)
    assert after > 0


async def test_a_large_result_goes_by_reference(home):
    """Its beginning is told, and all of it can be fetched; what is known of it stands beside the reference."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, ack):
        result = await result_of(client, asks())
        ref = reference_in(result)
        whole = await fetch(client, ref.transaction_id)
        await client.say(PayloadAck(request_id="a", transaction_id=ref.transaction_id))
        await client.say(asks(10, "small"))
        small = await client.hear_until(CallResult)
        (row,) = await daemon.environment.bus.rows.all()

    assert (INLINE_BYTES, 100 * MIB) == (ack.limits["payload_inline"], ack.limits["payload_max"])
    assert "x" * 4_000 == result.outputs[0].text
    assert 1 == result.outputs[0].metadata["told"]
    assert "latency_ms" in result.outputs[0].metadata["latency_metrics"]
    assert (2 * MIB, "gzip") == (ref.size, ref.compression)
    assert ref.stored_size < ref.size
    assert "x" * (2 * MIB) == whole
    assert ("x" * 10, None) == (small.outputs[0].text, reference_in(small))
    assert ("delivered", "r") == (row.status, row.request_id)


@pytest.mark.parametrize(
    ("size", "letter", "by_reference"),
    [(MIB, "x", False), (MIB + 1, "x", True), (MIB, "ä", False), (MIB + 2, "ä", True)],
)
async def test_the_last_byte_counts(home, size, letter, by_reference):
    """Not the characters."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        result = await result_of(client, asks(size, letter=letter))

    assert by_reference == (reference_in(result) is not None)
    assert by_reference == (len(result.outputs[0].text.encode()) < size)


@pytest.mark.parametrize("who", OLD_CLIENTS)
async def test_an_older_client_is_told_all_of_it(home, tmp_path, who):
    async with home() as daemon, daemon.connect(**OLD_CLIENTS[who]) as (client, _):
        result = await result_of(client, asks())

    assert "x" * (2 * MIB) == result.outputs[0].text
    assert "payload_ref" not in result.outputs[0].metadata
    assert () == stored_names(tmp_path / "bus")


async def test_switched_off_nothing_goes_by_reference(home, tmp_path):
    """And no limit is told."""
    settings = {"message_bus_enabled": False}
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, ack):
        result = await result_of(client, asks())

    assert "x" * (2 * MIB) == result.outputs[0].text
    assert "payload_inline" not in ack.limits
    assert not (tmp_path / "bus").exists()


@pytest.mark.parametrize(
    ("settings", "compression", "has_hash"),
    [({"message_bus_compression": "none"}, "none", True),
     ({"message_bus_checksum_enabled": False}, "gzip", False)],
)  # fmt: skip
async def test_settings_say_how_it_is_kept(home, settings, compression, has_hash):
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, _):
        result = await result_of(client, asks())
        (row,) = await daemon.environment.bus.rows.all()
    ref = reference_in(result)

    assert compression == ref.compression
    assert has_hash == isinstance(ref.sha256, str) == bool(row.sha256)
    assert {has_hash} == {bool(piece.xxh64) for piece in row.pieces}


async def test_its_time_is_the_settings(home):
    settings = {"message_bus_ttl_hours": 0.5}
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, _):
        await result_of(client, asks())
        (row,) = await daemon.environment.bus.rows.all()

    assert 1800.0 == row.expires_at - row.created_at


@attrs.define
class FullRows(MemoryPayloads):
    """There is no room for one more."""

    async def begin(self, payload, most_bytes):
        del payload, most_bytes
        raise StorageError("The disk is full.")


class NoRoom(MemoryPayloads):
    async def begin(self, payload, most_bytes):
        return await super().begin(payload, min(most_bytes, 10))


UNKEPT = {
    "rows cannot be written": ({"payloads": FullRows()}, "SERVICE_UNAVAILABLE"),
    "bus is full": ({"payloads": NoRoom()}, "SERVICE_UNAVAILABLE"),
    "files cannot be written": ({"home": None}, "SERVICE_UNAVAILABLE"),
    "too large for it": ({"message_bus_max_payload_mb": 1}, "OVER_CAPACITY"),
}


def settings_of(case, tmp_path):
    settings, code = UNKEPT[case]
    settings = dict(settings)
    if "home" in settings:
        (tmp_path / "bus").touch()
        settings.pop("home")
    return settings, code


@pytest.mark.parametrize("case", UNKEPT)
async def test_what_cannot_be_kept_goes_inline(home, tmp_path, case):
    settings, _ = settings_of(case, tmp_path)
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, _):
        result = await result_of(client, asks())

    assert "x" * (2 * MIB) == result.outputs[0].text


@pytest.mark.parametrize("case", UNKEPT)
async def test_without_that_way_out_the_call_fails(home, tmp_path, case):
    """The fault says that it ran."""
    settings, code = settings_of(case, tmp_path)
    settings["fallback_to_websocket"] = False
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, _):
        failed = await result_of(client, asks())

    assert (code, ANSWER_NOT_KEPT) == (failed.error.code, failed.error.details["reason"])
    assert failed.error.message.startswith("the call ran")


async def test_what_no_frame_holds_either_is_over_capacity(home, tmp_path):
    """It is in a file then, as without the bus."""
    settings = {"message_bus_max_payload_mb": 1, "ws_max_bytes": MIB}
    async with home(**settings) as daemon, daemon.connect(**ACCEPTS) as (client, _):
        failed = await result_of(client, asks())

    assert ("OVER_CAPACITY", ANSWER_TOO_LARGE) == (
        failed.error.code,
        failed.error.details["reason"],
    )
    assert (tmp_path / "files").is_dir()


async def test_text_that_cannot_be_sent_fails_as_a_short_one_does(home, tmp_path):
    """Half a character in it: nothing is kept, and the connection lives."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        short = await result_of(client, asks(10, "short", half=True))
        long = await result_of(client, asks(2 * MIB, "long", half=True))

    assert short.error.code == long.error.code
    assert () == stored_names(tmp_path / "bus")


async def test_a_restart_repeats_the_reference(home, journal):
    """The journal has no more of it; all of it can be fetched from the next daemon, from where the last one was cut."""
    rows = MemoryPayloads()
    async with (
        home(journal, payloads=rows) as daemon,
        daemon.connect(session_id="win", **ACCEPTS) as (client, _),
    ):
        ref = reference_in(await result_of(client, asks()))
        kept = await journal.session("win")
    async with (
        home(journal, payloads=rows) as daemon,
        daemon.connect(session_id="win", last_seq=1, **ACCEPTS) as (client, _),
    ):
        again = reference_in(await client.hear_until(CallResult))
        rest = await fetch(client, ref.transaction_id, 300_000)

    assert ref == again
    assert len(kept.calls[0].outcome.frame) < 6_000
    assert "x" * (2 * MIB - 300_000) == rest


async def test_a_call_of_a_killed_daemon_answers_by_reference(home, journal):
    """Also if it is done before its client is back: what that accepts is in the journal with the call."""
    rows = MemoryPayloads()
    async with (
        home(journal, payloads=rows) as daemon,
        daemon.connect(session_id="win", **ACCEPTS) as (client, _),
    ):
        await client.say(asks(after=30.0))
        await client.hear()
    async with home(journal, payloads=rows) as daemon:
        call = next(iter(daemon.calls.open))
        assert ["payload_ref"] == call.request.accepts


async def test_the_outcome_under_a_handle_goes_by_reference(home):
    """To who accepts it; who does not is told all of it."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        handle = await result_of(client, asks(handle_after_s=0.01, after=0.2))
        call_id = handle.outputs[0].metadata["handle"]
        wants = CallTool(request_id="w", name="result", arguments={"call_id": call_id})
        ref = reference_in(await result_of(client, wants))
        whole = await fetch(client, ref.transaction_id)
        async with daemon.connect() as (old, _):
            told = await result_of(old, attrs.evolve(wants, request_id="o"))

    assert "x" * (2 * MIB) == whole == told.outputs[0].text
    assert "payload_ref" not in told.outputs[0].metadata


async def test_bad_requests_are_told_apart(home, tmp_path):
    """Unknown, another principal's, damaged, beyond the end, malformed: each has its code and the id that it was asked under."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        ref = reference_in(await result_of(client, asks()))
        bus = daemon.environment.bus
        foreign = await bus.put("y" * 10, 10, principal="jwt:bob", session="s", request="r")
        await client.say(
            PayloadGet(request_id=1, transaction_id="txn_0"),
            PayloadGet(request_id=2, transaction_id=foreign.transaction_id),
            PayloadGet(request_id=3, transaction_id=ref.transaction_id, offset=2 * MIB),
            PayloadAck(request_id=4, transaction_id="txn_0"),
        )
        heard = [await client.hear_until(ErrorReply) for _ in range(4)]
        await client.say('{"op":"payload_get","request_id":5,"transaction_id":"t","offset":-1}')
        heard.append(await client.hear_until(ErrorReply))
        path = path_of(tmp_path / "bus", ref.transaction_id)
        path.write_bytes(b"?" + path.read_bytes()[1:])
        await client.say(PayloadGet(request_id=6, transaction_id=ref.transaction_id))
        heard.append(await client.hear_until(ErrorReply))

    assert [
        (1, "NOT_FOUND"), (2, "NOT_FOUND"), (3, "INVALID_REQUEST"), (4, "NOT_FOUND"), (5, "INVALID_REQUEST"),
        (6, "PAYLOAD_DAMAGED"),
    ] == [(one.request_id, one.error.code) for one in heard]  # fmt: skip


async def test_four_may_be_unanswered(home):
    """They come in order; one more than that is refused, and the connection lives."""
    async with home() as daemon, daemon.connect(**ACCEPTS) as (client, _):
        ref = reference_in(await result_of(client, asks(4 * MIB)))
        gets = [
            PayloadGet(
                request_id=number, transaction_id=ref.transaction_id, offset=number * 262_144
            )
            for number in range(12)
        ]
        await client.say(*gets)
        heard = [await client.socket.receive() for _ in gets]
        offsets = [decode_piece(one).about.offset for one in heard if isinstance(one, bytes)]
        refused = [one for one in heard if isinstance(one, str)]
        await client.say(PayloadGet(request_id="x", transaction_id=ref.transaction_id))
        assert isinstance(await client.socket.receive(), bytes)

    assert sorted(offsets) == offsets
    assert 4 <= len(offsets) < 12
    assert all('"OVER_CAPACITY"' in one for one in refused)
