"""Files given to providers: each content once, only from inside the roots, and cleaned up only where they are ours."""

import json
import os
from pathlib import Path

import pytest
import trio

from exai_trio.errors import (
    ArgumentError,
    NotFoundError,
    ProviderNetworkError,
)
from exai_trio.tools.files import uploads

pytestmark = pytest.mark.real


FACTS = {"upload_method", "reused", "supabase_file_id"}


async def content(works, name, **arguments):
    return json.loads((await works.said(name, **arguments))["content"])


async def upload(works, *names):
    found = await content(works, "kimi_upload_files", files=[str(name) for name in names])
    return [each["file_id"] for each in found]


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


async def held(works):
    return {f["id"] for f in (await content(works, "kimi_manage_files", operation="list"))["files"]}


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
