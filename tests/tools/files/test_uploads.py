"""Files given to providers: each content once, only from inside the roots, and cleaned up only where they are ours."""

import json
import os
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.errors import (
    ArgumentError,
    ExaiError,
    NotFoundError,
    ProviderNetworkError,
    ServiceUnavailableError,
)
from exai_trio.filestore import strategy
from exai_trio.tools.files import uploads

pytestmark = pytest.mark.real


FACTS = {"upload_method", "reused", "supabase_file_id"}


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


def escapes(root):
    (root / "link").symlink_to(root.parent / "secret.txt")
    (root / "way_out").symlink_to(root.parent)
    return [
        "a.txt",
        "../secret.txt",
        str(root / ".." / "secret.txt"),
        str(root.parent / "secret.txt"),
        str(root / "link"),
        str(root / "way_out" / "secret.txt"),
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
        str(root / "fifo"),
        str(root / "nothing"),
        "file:///etc/passwd",
        "a\0b",
        " ",
    ]


TAKES_A_PATH = {
    "kimi_upload_files": lambda path: {"files": [path]},
    "glm_upload_file": lambda path: {"file": path},
    "smart_file_query": lambda path: {"file_path": path, "question": "what?"},
    "smart_file_download": lambda path: {"file_id": "file_1", "destination": path},
    "chat": lambda path: {"prompt": "what?", "files": [path]},
}


@pytest.mark.parametrize("name", list(TAKES_A_PATH))
async def test_no_byte_from_outside_reaches_a_provider(works, root, name):
    """A path that is relative, leads out of the roots or is no file is refused, naming the argument; nothing is sent."""
    os.mkfifo(root / "fifo")
    fields = {"kimi_upload_files": "files", "chat": "files", "glm_upload_file": "file"}
    field = fields.get(name) or ("destination" if "download" in name else "file_path")
    new_is_fine = {str(root / "nothing"), " "} if name == "smart_file_download" else set()
    for path in set(escapes(root)) - new_is_fine:
        with trio.fail_after(5), pytest.raises((ArgumentError, NotFoundError)) as refused:
            await works.call(name, **TAKES_A_PATH[name](path))

        assert refused.value.details["field"] == field, path
    asked = [each for each in await works.requests() if each["path"] != "/kimi/v1/models"]

    assert [] == asked


async def test_one_bad_path_stops_all(works, root):
    """If one of several files is refused, none is sent."""
    with pytest.raises(ArgumentError):
        await upload(works, root / "a.txt", root.parent / "secret.txt")

    assert [] == await works.uploads()


async def test_what_was_checked_is_what_is_sent(works, root, monkeypatch):
    """A file that becomes a link to a secret while it is uploaded is sent as it was when it was opened."""
    ask = type(works.services.gateway).ask

    async def swap_then_ask(gateway, provider, request, listener, **more):
        (root / "a.txt").unlink(missing_ok=True)
        (root / "a.txt").symlink_to(root.parent / "secret.txt")
        return await ask(gateway, provider, request, listener, **more)

    monkeypatch.setattr(type(works.services.gateway), "ask", swap_then_ask)
    (file_id,) = await upload(works, root / "a.txt")
    monkeypatch.setattr(type(works.services.gateway), "ask", ask)
    sent = await uploads.read_file(works.services, works.caller, "kimi", file_id)

    assert sent == b"alpha text\n"


async def test_empty_and_too_large_files_are_refused(works, root, monkeypatch):
    """With size and limit, before anything is sent."""
    monkeypatch.setattr(strategy, "LARGEST", 15)
    (root / "empty").touch()
    for name in ("empty", "b.pdf"):
        with pytest.raises(ArgumentError, match="1 to 15 bytes"):
            await upload(works, root / name)

    assert [] == await works.uploads()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_stays_open(works, root):
    """Uploaded, reused or refused: every file is closed afterwards."""
    await upload(works, root / "a.txt")
    before = descriptors()
    for name in ("a.txt", "nothing"):
        try:
            await upload(works, root / name)
        except NotFoundError:
            pass

    assert before == descriptors()


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


class LosesAnswers:
    """A provider whose first answer to a deletion is lost on its way."""

    def __init__(self, provider):
        self.provider = provider
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self.provider, name)

    async def delete_file(self, file_id):
        self.asked += 1
        await self.provider.delete_file(file_id)
        if self.asked == 1:
            raise ProviderNetworkError("the connection broke")


async def test_a_deletion_whose_answer_was_lost_is_done(works, root):
    """It is asked for again, and the file is gone by then; the next call is told that there is none."""
    (ours,) = await upload(works, root / "a.txt")
    limited = works.services.gateway._limited["kimi"]
    limited.provider = provider = LosesAnswers(limited.provider)
    done = await content(works, "kimi_manage_files", operation="delete", file_id=ours)
    with pytest.raises(NotFoundError):
        await works.call("kimi_manage_files", operation="delete", file_id=ours)

    assert ([ours], 3) == (done["deleted"], provider.asked)
    assert set() == await held(works)


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


async def test_a_cancelled_upload_leaves_no_unknown_file(works, root):
    """Cut at any moment, what Kimi holds is what the registry knows, but for an answer that never came."""
    (root / "big.txt").write_text("x" * 2_000_000)
    for moment in (0.0, 0.005, 0.02, 0.05):
        with trio.move_on_after(moment):
            await upload(works, root / "big.txt")
    await upload(works, root / "big.txt")

    account = works.services.gateway.account("kimi")
    known = await works.services.uploads.registry.uploads("kimi", account)
    assert {file.provider_file_id for file in known} <= await held(works)


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
