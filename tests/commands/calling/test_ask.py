"""`exai ask` against a daemon that does as it is told."""

import json

import pytest
import trio

from exai_trio.commands.calling import ask, last_conversation
from exai_trio.commands.calling.ask import Wanted
from exai_trio.commands.calling.follow_call import Asked
from exai_trio.commands.calling.key_value import WordError
from exai_trio.config import Config
from exai_trio.transport.websocket import Unreachable
from exai_trio.wire.messages import CallFailed, CallTool, Fault, ListTools, StreamChunk

QUESTION = Asked(tool="chat", arguments={"prompt": "hello"}, roots=("/project",))
FAULT = Fault(
    code="NOT_FOUND", message="no model x", category="client", retryable=False, correlation_id="c-1"
)


def envelope(content: str) -> str:
    offer = {"continuation_id": "id-1"}
    facts = {"model_used": "glm-4.6", "provider_used": "glm"}
    return json.dumps(
        {
            "status": "success",
            "content": content,
            "continuation_offer": offer,
            "metadata": facts,
        }
    )


async def answers(daemon, message):
    await daemon.answer(message, envelope("the answer"))


@pytest.fixture
def config(tmp_path) -> Config:
    return Config(home=tmp_path)


async def run(daemon, said, config, wanted=None, asked=QUESTION, **console) -> int:
    daemon.on_call = daemon.on_call or answers
    return await ask.run(
        config, asked, wanted or Wanted(), said.console(**console), dial=daemon.dial
    )


async def test_the_answer_is_on_stdout_alone(daemon, said, config, autojump_clock):
    """Nothing on stderr when nobody watches; the tools are not listed first."""
    code = await run(daemon, said, config)

    assert (0, "the answer\n", "") == (code, said.out.getvalue(), said.err.getvalue())
    (asked,) = daemon.heard_of(CallTool)
    assert ("chat", {"prompt": "hello"}, True) == (asked.name, asked.arguments, asked.stream)
    assert [] == daemon.heard_of(ListTools)


async def test_pieces_leave_as_they_come(daemon, said, config, autojump_clock):
    """A pipe has the first piece before the second one is there."""

    async def on_call(daemon, message):
        for index, chunk in enumerate(("the ", "answer")):
            await daemon.say(StreamChunk(request_id=message.request_id, index=index, chunk=chunk))
            while not said.out.getvalue().endswith(chunk):
                await trio.sleep(0.1)
        await daemon.answer(message, envelope("the answer"))

    daemon.on_call = on_call
    code = await run(daemon, said, config)

    assert (0, "the answer\n") == (code, said.out.getvalue())


async def test_one_line_says_what_it_was(daemon, said, config, autojump_clock):
    """Model, seconds and how to go on, for who watches."""
    await run(daemon, said, config, live=True)

    last = said.err.getvalue().splitlines()[-1]
    assert "glm-4.6" in last
    assert "exai ask -c" in last


async def test_json_is_flat(daemon, said, config, autojump_clock):
    """One object without others in it, and no stream."""
    code = await run(daemon, said, config, Wanted(as_json=True))

    told = json.loads(said.out.getvalue())
    assert (0, True, "the answer", "id-1") == (
        code,
        told["ok"],
        told["answer"],
        told["continuation_id"],
    )
    assert not any(isinstance(value, dict | list) for value in told.values())
    assert not daemon.heard_of(CallTool)[0].stream


async def test_a_failure_is_flat_json_too(daemon, said, config, autojump_clock):
    """Programs read one shape, and the exit code says which."""

    async def on_call(daemon, message):
        await daemon.say(CallFailed(request_id=message.request_id, error=FAULT), sequenced=True)

    daemon.on_call = on_call
    code = await run(daemon, said, config, Wanted(as_json=True))

    told = json.loads(said.out.getvalue())
    assert (1, False, "NOT_FOUND") == (code, told["ok"], told["code"])


async def test_the_answer_goes_to_a_file(daemon, said, config, tmp_path, autojump_clock):
    """-o: nothing on stdout, and the file is replaced as a whole."""
    file = tmp_path / "answer.md"
    file.write_text("old")
    code = await run(daemon, said, config, Wanted(output=file))

    assert (0, "", "the answer\n") == (code, said.out.getvalue(), file.read_text())


async def test_a_file_that_cannot_be_written_costs_no_answer(
    daemon, said, config, tmp_path, autojump_clock
):
    """It was paid for: stdout has it."""
    gone = tmp_path / "gone" / "answer.md"
    code = await run(daemon, said, config, Wanted(output=gone))

    assert (1, "the answer\n") == (code, said.out.getvalue())
    assert "cannot be written" in said.err.getvalue()


async def test_the_conversation_is_remembered(daemon, said, config, autojump_clock):
    """So that -c goes on with it; the file is its owner's alone."""
    with pytest.raises(WordError, match="leave -c out"):
        last_conversation.last(config.state)
    await run(daemon, said, config)

    assert "id-1" == last_conversation.last(config.state)
    assert 0o600 == (config.state / "last_conversation").stat().st_mode & 0o777


async def test_without_leave_no_daemon_is_started(daemon, said, config, autojump_clock):
    """EXAI_WS_AUTOSTART=false, or a daemon that is elsewhere."""
    daemon.absent = True

    with pytest.raises(Unreachable):
        await run(daemon, said, config)


async def test_where_none_listens_a_daemon_is_started(
    daemon, said, config, monkeypatch, autojump_clock
):
    """And then asked."""
    daemon.absent = True

    async def start(config, console):
        daemon.absent = False

    monkeypatch.setattr("exai_trio.commands.calling.started_daemon.ensure", start)

    assert 0 == await run(daemon, said, config, Wanted(starts=True))
    assert "the answer\n" == said.out.getvalue()
