"""What `exai doctor` says of a store at Supabase: each thing that may be wrong by name, each with its remedy."""

import attrs
import pytest
from hosted.storage_api import Bucket

from exai_trio.commands.checking.findings import Daemon, Seen
from exai_trio.commands.checking.stores import hosted_checks
from exai_trio.config import Config
from exai_trio.settings.load import Loaded
from exai_trio.wire.messages import HealthReport

pytestmark = pytest.mark.real
APPLY = "public.exai_state()"


@pytest.fixture
def config(tmp_path, gateway):
    return attrs.evolve(
        Config(),
        home=tmp_path,
        storage_backend="supabase",
        supabase_url=gateway.url,
        supabase_key=gateway.key,
    )


async def test_a_project_that_is_well_is_one_good_line(config):
    """Its schema is named."""
    (found,) = await hosted_checks.look(config)

    assert ("ok", "") == (found.state, found.remedy)


async def test_a_refused_key_is_named(config):
    """With where a right one is to be had."""
    (found,) = await hosted_checks.look(attrs.evolve(config, supabase_key="sb_secret_old"))

    assert "fault" == found.state
    assert "refuses the key (401)" in found.what
    assert "SUPABASE_KEY" in found.remedy


@pytest.mark.parametrize(
    ("change", "undo", "said"),
    [
        (
            f"revoke execute on function {APPLY} from service_role",
            f"grant execute on function {APPLY} to service_role",
            ("may not use", "exai storage check"),
        ),
        (
            "insert into schema_version values (99, 'later', 'x')",
            "delete from schema_version where version = 99",
            ("not those of this EXAI", "exai storage migrate"),
        ),
    ],
)
async def test_what_somebody_must_mend_is_named(config, stage, change, undo, said):
    """A missing grant, and another schema."""
    stage.execute(change)
    try:
        (found,) = await hosted_checks.look(config)
    finally:
        stage.execute(undo)

    assert said[0] in found.what
    assert said[1] in found.remedy


async def test_buckets_are_looked_at(config, stage):
    """A missing one, a public one, and one that takes only small files."""
    before = dict(stage.storage.buckets)
    stage.storage.buckets = {"exai-files": Bucket("exai-files", public=True, limit=50 * 2**20)}
    try:
        found = [each.what for each in await hosted_checks.look(config)]
    finally:
        stage.storage.buckets = before

    assert any("exai-bus is missing" in what for what in found)
    assert any("exai-files is public" in what for what in found)
    assert any("50 MiB" in what for what in found)


async def test_a_supabase_that_is_away_is_no_fault(config, gateway):
    """EXAI serves without it."""
    gateway.break_all(status=503)
    (found,) = await hosted_checks.look(config)

    assert ("warn", True) == (found.state, "nothing is lost" in found.remedy)


async def test_nobody_is_asked_where_the_store_is_embedded(gateway):
    """No Supabase, no line."""
    config = attrs.evolve(Config(), supabase_url=gateway.url, supabase_key=gateway.key)

    assert () == await hosted_checks.look(config)
    assert [] == gateway.requests


def test_an_old_outbox_and_refused_entries_are_told():
    """As the daemon reports them, each with what to do."""
    outbox = {"entries": 7, "bytes": 9, "oldest_s": 7200.0, "parked": 2}
    health = {"storage": {"outbox": outbox, "last_fault": "it is away"}}
    report = HealthReport(ok=True, t="2026-01-01T00:00:00Z", health=health)
    loaded = Loaded(config=Config(), origins={})
    seen = Seen(loaded=loaded, daemon=Daemon(reached=True, report=report), port_taken=True)
    found = list(hosted_checks.hosted(seen))

    assert ["refused 2 entries" in found[0].what, "for 120 min" in found[1].what] == [True, True]
    assert "exai storage retry" in found[0].remedy
    assert "it is away" in found[1].remedy
