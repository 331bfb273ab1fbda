"""Files over the gateway: stored, sent from the store, used again, kept while somebody refers to them, and then cleaned up."""

import json
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.errors import ArgumentError, ExaiError, NotFoundError
from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator
from exai_trio.providers.attempts import Deaf
from exai_trio.storage.base import Turn
from exai_trio.tools.files.cleaning_up import coordinator
from exai_trio.workspace.read import FileReader

pytestmark = pytest.mark.real

MB = 1024 * 1024


def _file(root, name, size, fill=b"x"):
    path = root / name
    path.write_bytes((fill * (size // len(fill) + 1))[:size])
    return str(path)


async def _given(works, *paths):
    said = await works.said("kimi_upload_files", files=list(paths))
    return json.loads(said["content"])


async def _names(works, provider="kimi"):
    held = await works.services.gateway.ask(
        provider, lambda asked: asked.list_files(), works.caller
    )
    return [file.filename for file in held]


def _cleans(works, **settings) -> CleanupCoordinator:
    services = works.services
    config = attrs.evolve(services.config, **{"cleanup_grace_hours": 0.0} | settings)
    return coordinator(
        config, services.uploads.kept, services.gateway, works.clock, listener=Deaf()
    )


def _objects(works):
    return [path.name for path in works.services.config.objects.glob("*/*")]


async def _rows(works, query):
    database = works.services.uploads.registry._database
    return await database.read(lambda connection: connection.execute(query).fetchall())


async def test_a_large_file_is_stored_and_sent_from_the_store(works, root):
    """Above 5 MB; both providers get it, it is stored once, and the answers say so."""
    path = _file(root, "large.txt", 5 * MB + 1)
    (kimi,) = await _given(works, path)
    glm = json.loads((await works.said("glm_upload_file", file=path))["content"])
    (again,) = await _given(works, path)

    assert ("gateway", False, None) == tuple(
        kimi[k] for k in ("upload_method", "reused", "supabase_file_id")
    )
    assert ("gateway", False) == (glm["upload_method"], glm["reused"])
    assert (kimi["file_id"], True) == (again["file_id"], again["reused"])
    assert 1 == len(_objects(works))
    assert (["large.txt"], ["large.txt"]) == (await _names(works), await _names(works, "glm"))


async def test_a_secret_at_the_end_of_a_large_file_is_neither_stored_nor_sent(works, root):
    path = _file(root, "large.txt", 6 * MB, b"x" * (6 * MB - 45) + b" ghp_" + b"a1B2" * 9 + b"    ")
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await _given(works, path)

    assert ([], []) == (_objects(works), await works.uploads())


async def test_what_is_stored_already_is_looked_at_before_it_is_sent(works, root):
    """The file that was allowed then, and another with its content, are two."""
    secret = b"x" * (6 * MB - 45) + b" ghp_" + b"a1B2" * 9 + b"    "
    allowed, other = (_file(root, name, 6 * MB, secret) for name in ("allowed.txt", "other.txt"))
    works.services = attrs.evolve(
        works.services, files=FileReader(secret_files=(root / "allowed.txt",))
    )
    await works.said("glm_upload_file", file=allowed)
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await _given(works, other)

    assert (1, []) == (len(_objects(works)), await _names(works))
    await _given(works, allowed)
    assert ["allowed.txt"] == await _names(works)


async def test_a_small_one_is_not_stored(works, root):
    (given,) = await _given(works, _file(root, "small.txt", 5 * MB))

    assert "direct" == given["upload_method"]
    assert [] == _objects(works)


async def test_what_no_provider_takes_is_only_stored(works, root, monkeypatch):
    """The answer says that no model can read it, and smart_file_download gives it back."""
    from exai_trio.filestore import strategy

    monkeypatch.setattr(strategy, "LARGEST_DIRECT", 5)
    monkeypatch.setattr(strategy, "LARGEST_FOR_MODELS", 10)
    (given,) = await _given(works, str(root / "b.pdf"))
    got = await works.said(
        "smart_file_download", file_id=given["file_id"], destination=str(root / "copy.pdf")
    )
    with pytest.raises(ArgumentError, match="No model can read"):
        await works.call("smart_file_query", file_path=str(root / "b.pdf"), question="what?")

    assert "storage" == given["upload_method"]
    assert "no model can read" in given["notice"]
    assert (root / "b.pdf").read_bytes() == (root / "copy.pdf").read_bytes()
    assert "storage" == json.loads(got["content"])["upload_method"]
    assert [] == await works.uploads()


async def test_another_principal_is_not_told_that_it_was_there(works, root):
    """Nothing is sent, and `reused` is false the first time; each sees what is theirs, and takes nothing from the other."""
    (mine,) = await _given(works, str(root / "a.txt"))
    owner, works.caller = (
        works.caller,
        attrs.evolve(works.caller, principal="ann", idempotency_key="s2:r1"),
    )
    (theirs,) = await _given(works, str(root / "a.txt"))
    (again,) = await _given(works, str(root / "a.txt"))
    await works.call("kimi_manage_files", operation="delete", file_id=theirs["file_id"])
    works.caller = owner
    (still,) = await _given(works, str(root / "a.txt"))

    assert (False, False, True, True) == tuple(
        each["reused"] for each in (mine, theirs, again, still)
    )
    assert 1 == len(await works.uploads())


async def test_a_file_is_kept_by_its_conversation_alone(works, root):
    """smart_file_query refers to it for its call, and for the conversation that it names; with that it goes."""
    turn = Turn(role="user", text="hi", tool="chat", at=works.clock())
    conversations = works.services.conversations.of("owner")
    await conversations.append("c1", (turn,), works.clock(), works.clock() + 3600)
    await _rows_add_conversation(works, "c1")
    for conversation in ("c1", ""):
        said = await works.said(
            "smart_file_query",
            file_path=str(root / "b.pdf"),
            question="what?",
            continuation_id=conversation,
        )
    living = await _cleans(works).run(daily=False)
    there = await _names(works)
    await _rows_drop_conversations(works)
    ended = await _cleans(works).run(daily=False)

    assert ("uploaded", True) == (said["metadata"]["file"], said["metadata"]["reused"])
    assert (["b.pdf"], {}) == (there, {k: v.changed for k, v in living.stages.items() if v.changed})
    assert [] == await _names(works)
    assert {"release", "condemn", "delete"} == {k for k, v in ended.stages.items() if v.changed}


async def _rows_add_conversation(works, name):
    database = works.services.uploads.registry._database
    await database.write(
        lambda c: c.execute(
            "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, ?, ?)",
            (name, works.clock(), works.clock() + 3600),
        )
    )


async def _rows_drop_conversations(works):
    await works.services.uploads.registry._database.write(
        lambda c: c.execute("DELETE FROM conversations")
    )


async def test_a_conversation_that_is_not_there_is_named(works, root):
    for tool, arguments in (
        ("smart_file_query", {"file_path": str(root / "a.txt"), "question": "what?"}),
        ("kimi_chat_with_files", {"prompt": "what?", "file_ids": ["file_1"]}),
    ):
        with pytest.raises(NotFoundError) as refused:
            await works.call(tool, continuation_id="none", **arguments)
        assert "continuation_id" == refused.value.details["field"]


async def test_a_file_that_is_held_stays_for_30_days(works, root):
    """What upload tools gave; then it goes at the provider and in the store, and a file of others never."""
    await works.services.gateway.ask(
        "kimi", lambda kimi: kimi.upload_file(root / "b.pdf", "file-extract"), works.caller
    )
    await _given(works, _file(root, "large.txt", 5 * MB + 1))
    await _cleans(works).run(daily=False)
    kept = (sorted(await _names(works)), len(_objects(works)))
    works.clock.at += 30 * 86400 + 1
    report = await _cleans(works).run(daily=False)

    assert (["b.pdf", "large.txt"], 1) == kept
    assert (["b.pdf"], []) == (await _names(works), _objects(works))
    assert 1 == len(report.unknown)
    assert [] == await _rows(works, "SELECT * FROM provider_file_uploads")


async def test_a_deletion_that_fails_is_tried_again_until_it_is_done(works, root):
    """Five times; 404 is done."""
    (given,) = await _given(works, str(root / "a.txt"))
    works.clock.at += 31 * 86400
    waits = []
    await works.arm(path=given["file_id"], method="DELETE", requests=5 * 4, fault={"status": 503})
    for _ in range(6):
        report = await _cleans(works).run(("release", "condemn", "delete"))
        waits.append(len(report.faults))
        works.clock.at += 6 * 3600
    gone = json.loads((await works.said("kimi_manage_files", operation="list"))["content"])

    assert waits[0] == 1
    assert waits[-1] == 0
    assert [] == gone["files"]


async def test_what_vanished_at_the_provider_is_uploaded_again_into_its_row(works, root):
    """Whether a hit or the daily comparison finds that out."""
    (first,) = await _given(works, str(root / "a.txt"))
    await works.arm(vanish=first["file_id"])
    works.clock.at += 1
    report = await _cleans(works).run(("reconcile",), daily=False)
    (second,) = await _given(works, str(root / "a.txt"))
    await works.arm(vanish=second["file_id"])
    (third,) = await _given(works, str(root / "a.txt"))

    assert ["gone at the provider"] == [change.why for change in report.stages["reconcile"].shown]
    assert 3 == len({first["file_id"], second["file_id"], third["file_id"]})
    assert [(1, third["file_id"])] == await _rows(
        works, "SELECT reference_count, provider_file_id FROM provider_file_uploads"
    )


async def test_a_refused_upload_leaves_its_object_for_the_next_try(works, root):
    """The call's reference is gone, the object is not, and the next call does not store it again."""
    path = _file(root, "large.txt", 5 * MB + 1)
    await works.arm(path="/files", method="POST", fault={"status": 400})
    with pytest.raises(ExaiError):
        await _given(works, path)
    failed = await _rows(works, "SELECT upload_status, reference_count FROM provider_file_uploads")
    stored = _objects(works)
    (given,) = await _given(works, path)

    assert [("failed", 0)] == failed
    assert (1, stored) == (len(stored), _objects(works))
    assert given["file_id"]


async def test_an_upload_cut_after_it_was_taken_is_adopted(works, root):
    """The provider has it, though it never said so; the next call finds it by name, size and time."""
    from exai_trio.simulator.chat.model_answer import CREATED

    works.clock.at = float(CREATED)
    path = _file(root, "large.txt", 5 * MB + 1)
    await works.arm(path="/files", method="POST", fault={"cut_after": 0})
    with pytest.raises(ExaiError):
        await _given(works, path)
    await _given(works, path)

    assert ["large.txt"] == await _names(works)
    assert 1 == len(await works.uploads())


@pytest.mark.parametrize(
    "name", ['quo"ted.txt', "new\nline.txt", "ä" * 120 + ".txt", "x" * 251 + ".txt"]
)
async def test_odd_names_are_uploaded_once(works, root, name):
    path = _file(root, name, 30)
    (first,) = await _given(works, path)
    (again,) = await _given(works, path)

    assert (first["file_id"], True) == (again["file_id"], again["reused"])
    assert first["filename"]


@pytest.mark.parametrize("size", [5 * MB, 5 * MB + 1])
async def test_a_file_that_changes_while_it_is_read_is_refused_or_sent_as_it_was(
    works, root, size, monkeypatch
):
    """What is sent is what was hashed."""
    from exai_trio.tools.files import uploading

    path = Path(_file(root, "changing.txt", size))
    seen = uploading.Uploading._offer

    def changed(self, opened):
        with path.open("r+b") as file:
            file.write(b"CHANGED")
        return seen(self, opened)

    monkeypatch.setattr(uploading.Uploading, "_offer", changed)
    if size > 5 * MB:
        with pytest.raises(ArgumentError, match="changed while it was read"):
            await _given(works, str(path))
        assert [] == await works.uploads()
        return
    (given,) = await _given(works, str(path))
    got = await works.said("smart_file_download", file_id=given["file_id"])
    text = await trio.Path(json.loads(got["content"])["path"]).read_bytes()

    assert b"xxxxxxx" == text[:7]


async def test_nothing_is_stored_beyond_the_bound(works, root):
    """The refusal names the setting; what nobody refers to makes room."""
    objects = works.services.uploads.kept.objects
    (given,) = await _given(works, _file(root, "large.txt", 5 * MB + 1))
    tight = attrs.evolve(objects, most=6 * MB)
    works.services.uploads.kept = attrs.evolve(works.services.uploads.kept, objects=tight)
    with pytest.raises(ExaiError, match="EXAI_FILES_MAX_GB"):
        await _given(works, _file(root, "other.txt", 5 * MB + 2))
    await _rows_end_references(works)
    await _cleans(works, cleanup_grace_hours=9.0, files_max_gb=0.001).run(("delete",))
    await _given(works, _file(root, "other.txt", 5 * MB + 2))

    assert 1 == len(_objects(works))
    assert given["file_id"] in [
        row[0] for row in await _rows(works, "SELECT provider_file_id FROM provider_file_uploads")
    ]


async def _rows_end_references(works):
    await works.services.uploads.registry._database.write(
        lambda c: c.execute("UPDATE file_references SET ended_at = 1")
    )
