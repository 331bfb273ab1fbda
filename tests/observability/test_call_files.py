"""The line that each ended call has in the metrics file."""

import gc

import msgspec

from exai_trio.config import Config
from exai_trio.observability.call_files import CallFiles
from exai_trio.observability.events import CallEnded, Span

ENDED = CallEnded(
    id="i", correlation_id="c", session="s", tool="chat", principal="a b", project="/p", provider="glm", model="m",
    code="", category="", attempt=1, started_at=1000.0, duration_ms=1500.0, permit_wait_ms=0.5, provider_wait_ms=1.0,
    with_provider_ms=9.0, first_chunk_ms=4.0, requests=1, input_tokens=7, cached_tokens=2, output_tokens=3,
    reasoning_tokens=1, cost=0.5, currency="USD", spans=(Span(name="journal", began_ms=0.0, ended_ms=0.3),),
)  # fmt: skip


def test_a_line_says_when_the_call_ended(tmp_path):
    files = CallFiles.of(Config(home=tmp_path))
    for take in files.takes().values():
        take(ENDED)
    files.flush()
    line = msgspec.json.decode(files.metrics.path.read_bytes())

    assert line == {
        "t": 1001.5, "op": "call_tool", "lat": 1.5, "sess": "s", "principal": "a%20b", "name": "chat", "prov": "glm", "ok": True, "code": "",
    }  # fmt: skip


def test_what_is_kept_of_thousands_of_calls_is_nothing_to_the_garbage_collector():
    assert not gc.is_tracked(ENDED)
    assert not gc.is_tracked(ENDED.spans[0])
