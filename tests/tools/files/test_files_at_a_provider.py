"""Files given to a provider, which is in memory: each content once, listed and deleted only by whose they are, and fetched back."""

import json
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.errors import (
    ArgumentError,
    ExaiError,
    NotFoundError,
    ProviderNetworkError,
    ProviderRefusedError,
    ServiceUnavailableError,
    StorageError,
)
from exai_trio.filestore import strategy

FACTS = {"upload_method", "reused", "supabase_file_id"}


@pytest.fixture
async def works(works_in_memory):
    return works_in_memory


async def content(works, name, **arguments):
    return json.loads((await works.said(name, **arguments))["content"])


async def upload(works, *names):
    found = await content(works, "kimi_upload_files", files=[str(name) for name in names])
    return [each["file_id"] for each in found]


async def test_an_upload_tells_what_clients_read(works, root):
    """Name, id, size and time of each file, in the order given."""
    found = await content(
        works, "kimi_upload_files", files=[str(root / "a.txt"), str(root / "b.pdf")]
    )

    assert ["a.txt", "b.pdf"] == [each["filename"] for each in found]
    assert [11, 20] == [each["size_bytes"] for each in found]
    assert all(
        set(each) == {"filename", "file_id", "size_bytes", "upload_timestamp", *FACTS}
        for each in found
    )


async def test_the_same_content_is_sent_once(works, root):
    """Whatever its name, whichever window and tool: a content that Kimi has is not sent again."""
    (root / "copy.pdf").write_bytes((root / "b.pdf").read_bytes())
    first = await upload(works, root / "b.pdf")
    works.caller = attrs.evolve(works.caller, session_id="another window")
    again = await upload(works, root / "copy.pdf")
    said = await works.said(
        "smart_file_query", file_path=str(root / "b.pdf"), question="what?", provider="kimi"
    )

    assert first == again == [said["metadata"]["file_id"]]
    assert 1 == len(await works.uploads())


async def test_the_only_document_of_a_directory_is_uploaded(works, root):
    (root / "papers").mkdir()
    (root / "papers" / "b.pdf").write_bytes((root / "b.pdf").read_bytes())
    answer = await works.said(
        "smart_file_query", file_path=str(root / "papers"), question="what?", provider="kimi"
    )

    assert "uploaded" == answer["metadata"]["file"]


async def test_two_windows_at_once_send_it_once(works, root):
    """Uploads of one content at the same time wait for each other."""
    found = []

    async def one():
        found.extend(await upload(works, root / "b.pdf"))

    async with trio.open_nursery() as windows:
        for _ in range(5):
            windows.start_soon(one)

    assert 1 == len(set(found))
    assert 1 == len(await works.uploads())


async def test_a_changed_file_is_sent_again(works, root):
    """The content counts, not the name."""
    first = await upload(works, root / "a.txt")
    (root / "a.txt").write_text("other text\n")

    assert first != await upload(works, root / "a.txt")


async def test_what_is_gone_at_the_provider_is_sent_again(works, root):
    """An id that Kimi no longer has is never given out."""
    (first,) = await upload(works, root / "a.txt")
    await works.services.gateway.ask("kimi", lambda kimi: kimi.delete_file(first), works.caller)
    (second,) = await upload(works, root / "a.txt")

    assert first != second
    assert 2 == len(await works.uploads())


async def test_one_bad_path_stops_all(works, root):
    """If one of several files is refused, none is sent."""
    with pytest.raises(ArgumentError):
        await upload(works, root / "a.txt", root.parent / "secret.txt")

    assert [] == await works.uploads()


async def test_empty_and_too_large_files_are_refused(works, root, monkeypatch):
    """With size and limit, before anything is sent."""
    monkeypatch.setattr(strategy, "LARGEST", 15)
    (root / "empty").touch()
    for name in ("empty", "b.pdf"):
        with pytest.raises(ArgumentError, match="1 to 15 bytes"):
            await upload(works, root / name)

    assert [] == await works.uploads()


async def stranger(works, root):
    """A file at Kimi that EXAI did not put there."""
    held = await works.services.gateway.ask(
        "kimi",
        lambda kimi: kimi.upload_file(root / "b.pdf", "file-extract"),
        works.caller,
        repeatable=False,
    )
    return held.id


async def held(works):
    return {f["id"] for f in (await content(works, "kimi_manage_files", operation="list"))["files"]}


async def test_cleaning_up_asks_for_a_dry_run_and_spares_what_is_not_ours(works, root):
    """cleanup_all deletes what EXAI uploaded and a dry run has shown to this session; nothing else, and not without one."""
    foreign = await stranger(works, root)
    (ours,) = await upload(works, root / "a.txt")
    with pytest.raises(ArgumentError, match="dry run first"):
        await works.call("kimi_manage_files", operation="cleanup_all", dry_run=False)
    shown = await content(works, "kimi_manage_files", operation="cleanup_all")
    (root / "c.txt").write_text("later")
    (later,) = await upload(works, root / "c.txt")
    there = await held(works)
    done = await content(works, "kimi_manage_files", operation="cleanup_all", dry_run=False)

    assert [ours] == [file["id"] for file in shown["would_delete"]]
    assert {foreign, ours, later} == there
    assert [ours] == [file["id"] for file in done["deleted"]]
    assert {foreign, later} == await held(works)


async def test_listed_files_have_the_known_fields(works, root):
    """id, filename, bytes, created_at and purpose, at most `limit` of them, and how many there are."""
    await upload(works, root / "a.txt", root / "b.pdf")
    found = await content(works, "kimi_manage_files", operation="list", limit=1)

    assert 2 == found["total"]
    assert [{"id", "filename", "bytes", "created_at", "purpose", *FACTS}] == list(
        map(set, found["files"])
    )


async def test_deleting_needs_an_id_that_exists(works, root):
    """delete names its field when the id is missing, no id, or unknown; a dry run deletes nothing."""
    (ours,) = await upload(works, root / "a.txt")
    for bad in ({}, {"file_id": ".."}, {"file_id": "a/../b"}, {"file_id": "file_nothing"}):
        with pytest.raises((ArgumentError, NotFoundError)) as refused:
            await works.call("kimi_manage_files", operation="delete", **bad)
        assert refused.value.details["field"] == "file_id"
    await works.call("kimi_manage_files", operation="delete", file_id=ours, dry_run=True)
    there = await held(works)
    await works.call("kimi_manage_files", operation="delete", file_id=ours)

    assert ({ours}, set()) == (there, await held(works))


async def test_a_call_that_runs_again_finds_its_deletion_done(works, root):
    """The daemon was killed after it."""
    (ours,) = await upload(works, root / "a.txt")
    await works.services.gateway.ask("kimi", lambda kimi: kimi.delete_file(ours), works.caller)
    works.caller = attrs.evolve(works.caller, attempt=2)
    done = await content(works, "kimi_manage_files", operation="delete", file_id=ours)

    assert [ours] == done["deleted"]


async def test_orphans_are_forgotten_and_the_unused_deleted(works, root):
    """cleanup_orphaned forgets what Kimi no longer has; cleanup_expired deletes what nobody used for 30 days."""
    gone, old = await upload(works, root / "a.txt", root / "b.pdf")
    await works.services.gateway.ask("kimi", lambda kimi: kimi.delete_file(gone), works.caller)
    forgotten = await content(works, "kimi_manage_files", operation="cleanup_orphaned")
    fresh = await content(works, "kimi_manage_files", operation="cleanup_expired")
    month_later = works.services.now() + 31 * 24 * 3600
    works.services = attrs.evolve(works.services, now=lambda: month_later)
    expired = await content(works, "kimi_manage_files", operation="cleanup_expired")

    assert [gone] == [file["id"] for file in forgotten["forgotten"]]
    assert [] == fresh["deleted"]
    assert [old] == [file["id"] for file in expired["deleted"]]


async def test_nothing_is_unused_by_a_clock_that_may_be_wrong(works, root):
    """A clock that is a month ahead deletes nothing at Kimi while it is doubted; the refusal says until when."""
    (old,) = await upload(works, root / "b.pdf")
    month_later = works.services.now() + 31 * 24 * 3600
    services = works.services
    works.services = attrs.evolve(services, now=lambda: month_later, is_clock_trusted=lambda: False)
    with pytest.raises(ServiceUnavailableError, match="right for an hour"):
        await works.call("kimi_manage_files", operation="cleanup_expired")

    assert old in await held(works)


def bytes_at(path):
    return Path(path).read_bytes()


def mode(path):
    return Path(path).stat().st_mode & 0o777


async def test_downloads_overwrite_nothing(works, root):
    """A new file, or one in a directory; what is there stays, and a link is not followed."""
    (ours,) = await upload(works, root / "b.pdf")
    folder = root / "got"
    folder.mkdir()
    into = await content(works, "smart_file_download", file_id=ours, destination=str(folder))
    (root / "dangling").symlink_to(root / "new_target")
    for taken in (root / "a.txt", folder):
        with pytest.raises(ArgumentError, match="overwritten"):
            await works.call("smart_file_download", file_id=ours, destination=str(taken))
    usual = await content(works, "smart_file_download", file_id=ours)

    assert str(folder / "b.pdf") == into["path"]
    assert (root / "a.txt").read_text() == "alpha text\n"
    assert Path(usual["path"]).is_relative_to(works.services.config.home)
    assert 0o600 == mode(usual["path"])


async def test_unknown_files_are_not_found(works):
    """An id that no provider has is NOT_FOUND, naming the argument."""
    for name, arguments, field in [
        ("kimi_chat_with_files", {"prompt": "x", "file_ids": ["file_no"]}, "file_ids"),
        ("smart_file_download", {"file_id": "file_no"}, "file_id"),
    ]:
        with pytest.raises(ExaiError) as refused:
            await works.call(name, **arguments)

        assert (refused.value.code, refused.value.details["field"]) == ("NOT_FOUND", field)


@pytest.mark.parametrize(
    ("tool", "field", "given"),
    [
        ("kimi_upload_files", "files", lambda root: [str(root / "a.txt"), str(root / "notes.txt")]),
        ("glm_upload_file", "file", lambda root: str(root / "notes.txt")),
        ("glm_upload_file", "file", lambda root: str(root / ".env")),
        ("smart_file_query", "file_path", lambda root: str(root / "notes.bin")),
    ],
)
async def test_what_looks_like_a_secret_is_not_uploaded(works, root, tool, field, given):
    """The refusal names the setting and the argument, before a byte of any file is sent."""
    token = "ghp_" + "a1B2" * 9
    (root / "notes.txt").write_text(f"token: {token}\n")
    (root / "notes.bin").write_bytes(b"\1\0\2" * 9 + token.encode())
    (root / ".env").write_text("A=1\n")
    more = {"question": "what?"} if tool == "smart_file_query" else {}
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES") as refused:
        await works.call(tool, **{field: given(root)}, **more)

    assert field == refused.value.details["field"]
    assert not await works.uploads()


async def manage(works, operation, **arguments):
    return await content(works, "kimi_manage_files", operation=operation, **arguments)


def as_another(works):
    return attrs.evolve(works.caller, principal="ann", idempotency_key="s2:r1")


async def test_a_dry_run_shows_and_changes_nothing(works, root):
    """Of each clean-up, and of a deletion."""
    gone, old = await upload(works, root / "a.txt", root / "b.pdf")
    del works.kimi.files[gone]
    works.clock.at += 31 * 24 * 3600
    shown = [
        await manage(works, "cleanup_orphaned", dry_run=True),
        await manage(works, "cleanup_expired", dry_run=True),
        await manage(works, "delete", file_id=old, dry_run=True),
    ]

    assert [[gone]] == [[file["id"] for file in shown[0]["would_forget"]]]
    assert {gone, old} == {file["id"] for file in shown[1]["would_delete"]}
    assert [old] == shown[2]["would_delete"]
    assert [old] == list(works.kimi.files)
    assert [gone] == [file["id"] for file in (await manage(works, "cleanup_orphaned"))["forgotten"]]


async def test_a_clean_up_goes_on_past_a_file_that_is_gone(works, root):
    """It is not said to be deleted by this call; the rest is."""
    gone, old = await upload(works, root / "a.txt", root / "b.pdf")
    del works.kimi.files[gone]
    works.clock.at += 31 * 24 * 3600
    done = await manage(works, "cleanup_expired")

    assert [old] == [file["id"] for file in done["deleted"]]
    assert {} == works.kimi.files


async def test_a_file_of_another_is_not_there(works, root):
    """Neither listed, read nor deleted; and what nobody noted is the home owner's."""
    (mine,) = await upload(works, root / "a.txt")
    nobodys = await stranger(works, root)
    works.caller = as_another(works)
    for tool, arguments in (
        ("kimi_manage_files", {"operation": "delete", "file_id": mine}),
        ("smart_file_download", {"file_id": mine}),
        ("smart_file_download", {"file_id": nobodys}),
    ):
        with pytest.raises(NotFoundError, match="was deleted, or belongs to another key"):
            await works.call(tool, **arguments)

    assert 0 == (await manage(works, "list"))["total"]
    assert {mine, nobodys} == set(works.kimi.files)


async def test_a_file_that_two_hold_goes_with_the_second(works, root):
    """Whoever deletes it first only lets it go."""
    (mine,) = await upload(works, root / "a.txt")
    owner, works.caller = works.caller, as_another(works)
    (theirs,) = await upload(works, root / "a.txt")
    await manage(works, "delete", file_id=theirs)
    there = list(works.kimi.files)
    works.caller = owner
    await manage(works, "delete", file_id=mine)

    assert [mine] == there == [theirs]
    assert {} == works.kimi.files


async def test_a_deletion_that_the_provider_does_not_do_now_is_told(works, root):
    """It is let go here and queued: the cleaning up deletes it."""
    (ours,) = await upload(works, root / "a.txt")
    works.kimi.fault = ProviderNetworkError("try later")
    with pytest.raises(ProviderNetworkError):
        await manage(works, "delete", file_id=ours)
    works.kimi.fault = None
    jobs = await works.services.uploads.registry._database.read(
        lambda c: c.execute("SELECT provider_file_id FROM file_deletion_jobs").fetchall()
    )

    assert [(ours,)] == jobs


@pytest.mark.parametrize("damaged", [False, True])
async def test_what_was_stored_comes_back_as_it_was_uploaded(works, root, monkeypatch, damaged):
    """A stored content that is damaged is not given: then it is the text that the provider extracted."""
    monkeypatch.setattr(strategy, "LARGEST_DIRECT", 5)
    (ours,) = await upload(works, root / "b.pdf")
    found, _ = works.kimi.files[ours]
    works.kimi.files[ours] = found, b"extracted"
    (stored,) = (path for path in works.services.uploads.objects.root.rglob("*") if path.is_file())
    if damaged:
        stored.chmod(0o600)
        stored.write_bytes(b"damaged")
    said = await works.said("smart_file_download", file_id=ours)
    got = json.loads(said["content"])

    assert (b"extracted" if damaged else (root / "b.pdf").read_bytes()) == bytes_at(got["path"])  # fmt: skip
    assert ("extracted" in said["metadata"]["notice"]) == damaged


async def test_a_download_that_cannot_be_kept_names_the_file(works, root):
    """A fault of the disk, not of the provider."""
    (ours,) = await upload(works, root / "a.txt")
    home = works.services.config.home
    home.mkdir()
    (home / "files").write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        await works.call("smart_file_download", file_id=ours)


async def test_a_provider_that_fails_to_read_is_not_said_to_have_no_such_file(works, root):
    (ours,) = await upload(works, root / "a.txt")
    works.kimi.fault = ProviderRefusedError("no permission", details={"status": 403})
    with pytest.raises(ProviderRefusedError, match="no permission"):
        await works.call("smart_file_download", file_id=ours)


async def ask(works, path, **arguments):
    said = await works.said("smart_file_query", file_path=str(path), question="what?", **arguments)
    return said["metadata"]


async def test_a_question_takes_the_way_that_suits_the_file(works, root):
    """Text and images go into the prompt, a document to Kimi; a conversation that is named keeps it."""
    (root / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    ways = [(await ask(works, root / name))["file"] for name in ("a.txt", "p.png", "b.pdf")]
    images = [len(one.messages[-1].images) for one in works.gateway.requests]

    assert ["in the prompt", "in the prompt", "uploaded"] == ways
    assert [0, 1, 0] == images
    assert ["b.pdf"] == works.kimi.sent


async def test_a_directory_is_asked_about_by_its_texts(works, root):
    """What is left out is told to the model; a directory without any text is refused."""
    (root / "docs").mkdir()
    (root / "docs/z.txt").write_text("zeta")
    (root / "docs/x.bin").write_bytes(b"\0\1")
    (root / "none").mkdir()
    for name in ("x.bin", "y.bin"):
        (root / "none" / name).write_bytes(b"\0\1")
    await ask(works, root / "docs")
    asked = works.gateway.requests[-1].messages[-1].text
    with pytest.raises(ArgumentError, match="There is no text to ask about in this directory"):
        await ask(works, root / "none")

    assert "zeta" in asked
    assert "x.bin: binary, 2 bytes" in asked
    assert [] == await works.uploads()


async def test_glm_is_not_asked_about_what_it_cannot_read(works, root):
    """The refusal says why, and who can; nothing is sent."""
    with pytest.raises(
        ArgumentError, match=r"GLM cannot be asked about this file .*; Kimi"
    ) as fault:
        await ask(works, root / "b.pdf", provider="glm")

    assert "file_path" == fault.value.details["field"]
    assert [] == await works.uploads()


async def test_no_model_is_asked_about_what_is_only_stored(works, root, monkeypatch):
    """It is stored and given back, by a name of ours."""
    monkeypatch.setattr(strategy, "LARGEST_DIRECT", 5)
    monkeypatch.setattr(strategy, "LARGEST_FOR_MODELS", 10)
    (stored,) = await upload(works, root / "b.pdf")
    with pytest.raises(ArgumentError, match="No model can read a file of more than 100 MB"):
        await ask(works, root / "b.pdf")
    got = await content(works, "smart_file_download", file_id=stored)

    assert (root / "b.pdf").read_bytes() == bytes_at(got["path"])
    assert [] == await works.uploads()


async def test_a_conversation_that_is_named_must_be_there(works, root):
    """Whoever names none needs none."""
    with pytest.raises(NotFoundError, match="continuation_id"):
        await ask(works, root / "b.pdf", continuation_id="none")

    assert [] == await works.uploads()


async def test_files_are_asked_about_by_their_ids(works, root):
    """Their texts go before the question, each as a message; one that is no id is refused."""
    (ours,) = await upload(works, root / "a.txt")
    await works.call("kimi_chat_with_files", prompt="what?", file_ids=[ours], model="kimi-k2.6")
    asked = works.gateway.requests[-1].messages
    with pytest.raises(ArgumentError, match="is no file id"):
        await works.call("kimi_chat_with_files", prompt="?", file_ids=["a/b"], model="kimi-k2.6")

    assert "alpha text" in asked[0].text
    assert "what?" == asked[-1].text
