"""What pages of the older system are told of events: the newest, and sums by kind of connection."""

from itertools import count

from exai_trio.daemon.http.feed.told_events import ToldEvents
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import (
    EVENTS,
    BugsSeen,
    CallBegun,
    CallEnded,
    ConnectionClosed,
    ConnectionOpened,
    ConnectionRefused,
    HelloRefused,
    RequestEnded,
)

ENDED = CallEnded(
    id="i", correlation_id="c", session="s", tool="chat", principal="owner", project="", provider="glm", model="m",
    code="TIMEOUT", category="timeout", attempt=1, started_at=1.0, duration_ms=20.0, permit_wait_ms=0.0, provider_wait_ms=0.0,
    with_provider_ms=0.0, first_chunk_ms=None, requests=1, input_tokens=None, cached_tokens=None, output_tokens=None,
    reasoning_tokens=None, cost=None, currency="",
)  # fmt: skip


def asked(provider, outcome):
    return RequestEnded(
        provider=provider, model="m", outcome=outcome, permit_wait_s=0.0, duration_s=1.0
    )


def test_each_event_is_told_and_counts_for_its_kind_of_connection():
    events, hub = ToldEvents(count(100.0).__next__), EventHub()
    hub.add("feed", events.takes())
    happened = [
        ConnectionOpened(kind="session"), ConnectionOpened(kind="session"), CallBegun(tool="chat"), ENDED,
        ConnectionClosed(kind="session", duration_s=1.0), HelloRefused(error="unauthorized"), ConnectionRefused(limit="rate"),
        asked("glm", "ok"), asked("kimi", "cancelled"), asked("kimi", "timeout"), asked("another", "timeout"), BugsSeen(count=1),
    ]  # fmt: skip
    for event in happened:
        hub.publish(event)
    stats = events.stats()
    summed = {kind: (one["total_events"], one["total_errors"], one["avg_response_time_ms"]) for kind, one in stats.items()}  # fmt: skip

    assert EVENTS == tuple(kind for kind in EVENTS if kind in events.takes())
    assert [type(event).__name__ for event in happened] == [one["event"] for one in events.newest(50)]  # fmt: skip
    assert len(happened) == events.count
    assert {"websocket": (6, 3, 20.0), "redis": (0, 0, None), "supabase": (0, 0, None), "kimi": (2, 1, 1000.0), "glm": (1, 0, 1000.0)} == summed  # fmt: skip
    assert 1 == stats["websocket"]["active_connections"]
    assert "1970-01-01T00:01:46.000Z" == stats["websocket"]["last_event_timestamp"]
