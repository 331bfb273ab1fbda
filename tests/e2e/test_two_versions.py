"""Daemons of this commit and of an earlier one serve side by side on one database, while that is migrated."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))

from hosted import fixtures

from exai_trio.storage.supabase.migrate import migrate
from exai_trio.storage.supabase.migrations import migrations

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.real
started_stage, stage = fixtures.started_stage, fixtures.stage


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def earlier():
    """The baseline, or the commit of .ci/two_versions where that is older than the store in PostgreSQL."""
    commits = [(ROOT / ".ci" / name).read_text().split()[0] for name in ("baseline", "two_versions")]  # fmt: skip
    store = "exai_trio/storage/postgres/shared_calls_store.py"
    return next((one for one in commits if git("cat-file", "-e", f"{one}:{store}").returncode == 0), None)  # fmt: skip


@contextmanager
def tree_of(commit, folder):
    archive = git("worktree", "add", "--detach", "--quiet", str(folder), commit)
    assert archive.returncode == 0, archive.stderr
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


@pytest.fixture
def old_tree(tmp_path):
    commit = earlier()
    if commit is None:
        pytest.skip("no earlier commit is here: a shallow clone, or no git")
    with tree_of(commit, tmp_path / "earlier") as tree:
        yield tree


def steps_of(tree):
    """Those of our migrations that it has, too."""
    known = {path.name for path in (tree / "exai_trio/storage/supabase/sql").iterdir()}
    return [step for step in migrations() if any(name.startswith(f"{step.version:04}_") for name in known)]  # fmt: skip


@pytest.mark.timeout(240)  # an earlier commit is compiled first
async def test_two_versions_serve_one_database(new_place, start, stage, old_tree):
    """The database is migrated under the older one, which goes on; a call of the one is answered by the other, and the other way."""
    stage.make_new()
    try:
        migrate(stage.url, steps_of(old_tree))
        shared = {"STORAGE_BACKEND": "postgres", "DATABASE_URL": stage.url}
        place_of = lambda name: new_place(simulate=True, http=True, EXAI_DAEMON_NAME=name, **shared)  # noqa: E731
        old = start(place_of("older"), PYTHONPATH=str(old_tree))
        migrate(stage.url, migrations())
        new = start(place_of("newer"))
        heard = []
        for number, (at, then) in enumerate([(old, new), (new, old)]):
            session = f"moves-{number}"
            async with at.place.client(protocol=2, session_id=session) as one:
                await one.call("r1", prompt=f"hold on {number}", delay_ms=1500)
                await one.hear_until("call_tool_ack")
            async with then.place.client(protocol=2, session_id=session, last_seq=1) as two:
                outcome = await two.hear_until("call_tool_res", request_id="r1")
                await two.call("r2", prompt="more")
                more = await two.hear_until("call_tool_res", request_id="r2")
                heard.append((outcome["ok"], more["ok"]))
        rows = stage.execute("select max(attempts), count(*), count(outcome_frame) from journal_calls")  # fmt: skip
    finally:
        stage.make_new()
        stage.make_ready()

    assert [(True, True)] * 2 == heard
    assert rows[0][0] == 1
    assert rows[0][1] == rows[0][2]
