"""`exai call` and a large answer that comes by reference."""

import hashlib
import json

import pytest

from exai_trio.commands.calling import call_tool
from exai_trio.commands.calling.call_tool import Asked
from exai_trio.config import Config
from exai_trio.wire.messages import ErrorReply, Fault, Hello, PayloadAck, PayloadGet
from exai_trio.wire.payload_frames import PIECE_BYTES, Payload, encode_piece

CHAT = Asked(tool="chat", pairs=(("prompt", "hello"),))
CONTENT = "long answer\n" * 200_000
WHOLE = json.dumps({"status": "success", "content": CONTENT}).encode()
REF = {
    "transaction_id": "txn_1",
    "size": len(WHOLE),
    "stored_size": 9,
    "compression": "gzip",
    "sha256": hashlib.sha256(WHOLE).hexdigest(),
    "expires_at": "2026-12-01T00:00:00Z",
}


async def refer(daemon, call):
    await daemon.answer(call, WHOLE.decode()[:4_000], metadata={"payload_ref": REF})


async def give(daemon, get, text=WHOLE):
    data = text[get.offset : get.offset + PIECE_BYTES]
    last = get.offset + len(data) == len(text)
    about = Payload(request_id=get.request_id, offset=get.offset, last=last)
    await daemon.say_piece(encode_piece(about, data))


async def run(daemon, said, asked=CHAT):
    daemon.on_call = refer
    return await call_tool.run(Config(), asked, said.console(), dial=daemon.dial)


async def test_all_of_it_goes_to_stdout(daemon, said, autojump_clock):
    """The daemon hears that it has arrived; --json shows it as if it had come in one message."""
    daemon.on_get = give
    code = await run(daemon, said)
    assert (0, CONTENT.rstrip()) == (code, said.out.getvalue().rstrip())
    assert ["txn_1"] == [ack.transaction_id for ack in daemon.heard_of(PayloadAck)]
    assert ["payload_ref"] == daemon.heard_of(Hello)[0].accepts
    said.out.truncate(0)
    said.out.seek(0)
    await run(daemon, said, Asked(tool="chat", pairs=(), as_json=True))

    output = json.loads(said.out.getvalue())["outputs"][0]
    assert (WHOLE.decode(), {}) == (output["text"], output["metadata"])


async def test_after_a_broken_connection_it_goes_on_from_there(daemon, said, autojump_clock):
    """No piece is given twice."""
    given = []

    async def give_two(daemon, get):
        given.append(get.offset)
        await give(daemon, get)
        if len(given) % 2 == 0:
            await daemon.hang_up(1012)

    daemon.on_get = give_two
    code = await run(daemon, said)

    assert (0, CONTENT.rstrip()) == (code, said.out.getvalue().rstrip())
    assert sorted(set(given)) == given == list(range(0, len(WHOLE), PIECE_BYTES))
    assert len(daemon.heard_of(Hello)) > 3


async def test_what_is_not_what_was_stored_is_no_answer(daemon, said, autojump_clock):
    async def give_wrong(daemon, get):
        await give(daemon, get, b"x" + WHOLE[1:])

    daemon.on_get = give_wrong
    code = await run(daemon, said)

    assert (1, "") == (code, said.out.getvalue())
    assert "PAYLOAD_DAMAGED" in said.err.getvalue()
    assert [] == daemon.heard_of(PayloadAck)


async def test_the_daemons_refusal_is_told(daemon, said, autojump_clock):
    async def refuse(daemon, get):
        fault = Fault(
            code="NOT_FOUND",
            message="no such result",
            category="client",
            retryable=False,
            correlation_id="c",
        )
        await daemon.say(ErrorReply(request_id=get.request_id, error=fault))

    daemon.on_get = refuse
    code = await run(daemon, said)

    assert (1, "") == (code, said.out.getvalue())
    assert "no such result" in said.err.getvalue()
    assert daemon.heard_of(PayloadGet)


@pytest.mark.parametrize("ref", [{}, {"transaction_id": 5}, {**REF, "size": -1}])
async def test_a_reference_that_is_none_is_said(daemon, said, autojump_clock, ref):
    async def refer_badly(daemon, call):
        await daemon.answer(call, "x", metadata={"payload_ref": ref})

    daemon.on_call = refer_badly
    with pytest.raises(Exception, match="reference that cannot be read"):
        await call_tool.run(Config(), CHAT, said.console(), dial=daemon.dial)
