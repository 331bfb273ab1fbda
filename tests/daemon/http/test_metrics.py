"""/metrics on the dashboard's port: what the daemon has counted, to whom figures are free."""

from prometheus_client.parser import text_string_to_metric_families

from exai_trio.wire.messages import CallResult


async def test_a_scrape_says_what_was_counted(pages, autojump_clock):
    """To the call; from elsewhere only with a token."""
    async with pages() as visitor, visitor.daemon.connect(token=visitor.as_owner().token) as (client, _):  # fmt: skip
        for number in range(3):
            await client.nap(f"r{number}")
            await client.hear_until(CallResult)
        scraped = await visitor.get("/metrics")
        opened = await visitor.get("/metrics", accept="application/openmetrics-text")
        refused = await visitor.ask("GET", "/metrics", client="192.0.2.1")
    values = {
        (s.name, *sorted(s.labels.items())): s.value
        for family in text_string_to_metric_families(scraped.body.decode())
        for s in family.samples
    }

    assert 3 == values["exai_calls_total", ("outcome", "ok"), ("tool", "nap")]
    assert 3 == values["exai_calls_accepted_total",]
    assert (0, 1, 1) == tuple(values[f"exai_{name}",] for name in ("calls_running", "sessions", "connections_open"))  # fmt: skip
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert 401 == refused.status
