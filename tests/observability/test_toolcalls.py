"""toolcalls.jsonl: every call leaves one line, short and without secrets."""

import json

import attrs
import pytest
from msgspec.structs import replace

from exai_trio.config import Config
from exai_trio.observability.events import CallEnded
from exai_trio.observability.toolcalls import ToolCallLine, shortened, toolcalls_log

ENDED = CallEnded(
    id="i", correlation_id="c", session="s", tool="chat", principal="owner", project="", provider="glm", model="m", code="",
    category="", attempt=1, started_at=0.0, duration_ms=1.5, permit_wait_ms=0.0, provider_wait_ms=0.0, with_provider_ms=0.0,
    first_chunk_ms=None, requests=0, input_tokens=None, cached_tokens=None, output_tokens=None, reasoning_tokens=None,
    cost=None, currency="",
)  # fmt: skip
LINE = ToolCallLine(at=1.0, ended=ENDED, message="", request_id="r", arguments={})


def written(tmp_path, **more):
    config = attrs.evolve(Config(), home=tmp_path, glm_api_key="our-own-glm-key")
    log = toolcalls_log(config)
    log.add(attrs.evolve(LINE, **more))
    log.flush()
    return (config.logs / "toolcalls.jsonl").read_text()


def test_a_line_says_what_was_called_and_how_it_ended(tmp_path):
    """Time, tool, outcome, time taken, ids and arguments, as one JSON object."""
    line = json.loads(written(tmp_path, arguments={"prompt": "why?"}))

    assert {"t": "1970-01-01T00:00:01.000Z", "tool": "chat", "ok": True}.items() <= line.items()
    assert line["arguments"] == {"prompt": "why?"}


@pytest.mark.parametrize(
    "secret", ["our-own-glm-key", "sk-abcdefghijkl", "Bearer abcdefghijkl", "data:image/png;base64,AAAA"]
)  # fmt: skip
def test_no_secret_is_written(tmp_path, secret):
    """Wherever it stands: in an argument, in a list, in the message of a fault, in ids of the client's."""
    text = written(
        tmp_path,
        arguments=shortened({"prompt": f"my key {secret} x", "files": [secret]}),
        message=f"failed with {secret}",
        request_id=secret,
        ended=replace(ENDED, session=secret),
    )

    assert secret not in text


def test_large_arguments_are_cut():
    """What is kept until it is written stays small whatever was sent."""
    short = shortened({"a": "x" * 10_000_000, "b": ["y" * 1000] * 1000, "c": {"d": "z" * 9999}})

    assert len(json.dumps(short)) < 3000


def test_half_characters_do_not_stop_the_log(tmp_path):
    """A line that cannot be encoded is still a line."""
    assert json.loads(written(tmp_path, arguments={"prompt": "\ud800"}))["tool"] == "chat"
