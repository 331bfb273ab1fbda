"""What answers a success and is not Supabase: a fault with a remedy, whatever was asked, and never a bug of ours."""

import httpx2
import pytest

from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.outbox_entries import Entry, Mark
from exai_trio.storage.supabase import buckets
from exai_trio.storage.supabase.http_requests import Requests
from exai_trio.storage.supabase.objects import SupabaseObjects
from exai_trio.storage.supabase.remote import SupabaseRemote

ENTRY = Entry(id="1", kind="messages", key="c", body="{}", at=0.0)
ASKED = {
    "state": lambda requests: remote(requests).state(),
    "apply": lambda requests: remote(requests).apply((ENTRY,)),
    "tail": lambda requests: remote(requests).tail("c", Mark()),
    "named": lambda requests: remote(requests).named("owner", "plan", 1.0),
    "kept_under": lambda requests: remote(requests).kept_under("owner", ("k",), 1.0),
    "sweep": lambda requests: remote(requests).sweep(1.0, 1.0),
    "buckets": buckets.faults,
    "size": lambda requests: SupabaseObjects(requests, "exai-files").size("ab"),
}


def remote(requests):
    return SupabaseRemote(requests, lambda: 0.0, 4)


def answering(status, body):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, content=body))
    return httpx2.AsyncClient(transport=transport, base_url="http://supabase.test")


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[{}]", b'{"now": "soon"}', b'"\xff"'])
async def test_an_answer_of_another_kind_is_waited_out(asked, body):
    """As a wrong SUPABASE_URL, a captive portal or a proxy give it."""
    async with answering(200, body) as http:
        with pytest.raises(HostedAway, match="SUPABASE_URL"):
            await ASKED[asked](Requests(http))


@pytest.mark.parametrize("body", [b"{", b'{"error": null}', b'{"code": 400}', b'{"error": {}}'])
async def test_a_fault_of_storage_in_other_words_is_a_fault(body):
    """Told by HTTP's status where the body says nothing."""
    async with answering(400, body) as http:
        objects = SupabaseObjects(Requests(http), "exai-files")
        for asked in (objects.size, objects.delete):
            with pytest.raises(HostedAway, match="400"):
                await asked("ab")
