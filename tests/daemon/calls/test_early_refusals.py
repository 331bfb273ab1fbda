"""Paths that a call may not use are refused before it is accepted, for every tool that takes paths."""

import json
import os
import re

import pytest
import trio

from exai_trio.tools.arguments import schema
from exai_trio.tools.registry import BUILT_IN
from exai_trio.wire.messages import CallAccepted, CallCancelling, CallFailed, CallTool, Cancel
from exai_trio.workspace import upload_source

pytestmark = pytest.mark.real

PATHS = [(tool, field) for tool in BUILT_IN for field in tool.paths]
IDS = [f"{tool.name}-{field}" for tool, field in PATHS]
OWN_LOG = ("toolcall_log_tail", "path")  # one of two names, whatever the roots are
LOOKS_LIKE_PATHS = re.compile(r"files?|file_path|images?|path|relevant_files|destination")


@pytest.fixture
def root(tmp_path):
    root = (tmp_path / "root").resolve()
    root.mkdir()
    (root / "a.txt").write_text("x")
    os.mkfifo(root / "fifo")
    (root / "away").symlink_to("/etc/hostname")
    (tmp_path / "outside.txt").write_text("x")
    return root


def call_of(tool, field, path):
    """A first call of the tool with this path."""
    whole = schema(tool)
    values = {"string": "text", "integer": 1, "boolean": True, "number": 1}
    given = {
        name: part.get("enum", [values.get(part["type"])])[0] or ["x"]
        for name, part in whole["properties"].items()
        if name in whole.get("required", ())
    }
    given[field] = [path] if whole["properties"][field]["type"] == "array" else path
    return CallTool(request_id="r", name=tool.name, arguments=given)


async def first_frames(house, root, call, count=1):
    async with house() as daemon, daemon.connect(roots=[str(root)]) as (client, _):
        await client.say(call)
        return [await client.hear() for _ in range(count)]


def test_every_argument_that_names_files_says_what_for():
    """No tool takes paths that nobody looks at before the call is accepted."""
    named = {
        (tool.name, field)
        for tool in BUILT_IN
        for field in schema(tool)["properties"]
        if LOOKS_LIKE_PATHS.fullmatch(field)
    }

    assert named - {OWN_LOG} == {(tool.name, field) for tool, field in PATHS}


def forbidden(root):
    return {
        "relative": "a.txt",
        "parent": f"{root}/../outside.txt",
        "outside": "/etc/passwd",
        "by a link": f"{root}/away",
        "NUL": f"{root}/a\0b",
    }


@pytest.mark.parametrize(("tool", "field"), PATHS, ids=IDS)
async def test_a_path_outside_is_refused_by_the_first_frame(house, root, tool, field):
    """Relative, outside, by a link: the refusal comes before any acknowledgement, and names the argument."""
    for why, path in forbidden(root).items():
        (heard,) = await first_frames(house, root, call_of(tool, field, path))

        assert isinstance(heard, CallFailed), why
        assert "VALIDATION_ERROR" == heard.error.code
        assert field == heard.error.details["field"]


@pytest.mark.parametrize(
    ("tool", "field"), [each for each in PATHS if each[0].paths[each[1]] in {"read", "file"}]
)
@pytest.mark.parametrize(
    ("name", "code"), [("gone.txt", "NOT_FOUND"), ("fifo", "VALIDATION_ERROR"), ("a.txt/b", "NOT_FOUND")]
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_by_the_first_frame(  # noqa: PLR0917 - a table
    house, root, tool, field, name, code
):
    """A file that is not there, or is no file, is known without reading it."""
    (heard,) = await first_frames(house, root, call_of(tool, field, f"{root}/{name}"))

    assert isinstance(heard, CallFailed)
    assert (code, field) == (heard.error.code, heard.error.details["field"])


@pytest.mark.parametrize(("tool", "field"), PATHS, ids=IDS)
async def test_a_path_that_may_be_used_is_no_obstacle(house, root, tool, field):
    """The call is accepted first, whatever becomes of it."""
    name = "new.txt" if tool.paths[field] == "write" else "a.txt"
    (heard,) = await first_frames(house, root, call_of(tool, field, f"{root}/{name}"))

    assert isinstance(heard, CallAccepted)


async def test_a_refused_call_leaves_nothing_behind(house, root):
    """Its place is free, its number is in order, and its id may be used again."""
    chat = next(tool for tool in BUILT_IN if tool.name == "chat")
    async with house() as daemon, daemon.connect(roots=[str(root)]) as (client, _):
        for _ in range(20):
            await client.say(call_of(chat, "files", "a.txt"))
            assert isinstance(await client.hear(), CallFailed)
        await client.acknowledge()
        session = next(iter(daemon.sessions.table.values()))
        await session.calls.wait_none()

        assert 20 == client.last_seq
        assert (0, {}) == (session.rules.running, session.calls.table)


async def test_what_was_found_on_the_way_in_is_not_looked_at_again(house, root, monkeypatch):
    """A step of a workflow opens the file that it names once, and keeps where it really is."""
    looks = []
    check = upload_source.check
    monkeypatch.setattr(
        upload_source, "check", lambda *given: looks.append(given[0]) or check(*given)
    )
    (root / "link.txt").symlink_to(root / "a.txt")
    debug = next(tool for tool in BUILT_IN if tool.name == "debug")
    asked = call_of(debug, "relevant_files", str(root / "link.txt"))
    asked.arguments["next_step_required"] = True
    _, result = await first_frames(house, root, asked, 2)

    assert [str(root / "link.txt")] == looks
    assert [str(root / "a.txt")] == json.loads(result.outputs[0].text)["file_context"]["files"]


@pytest.mark.parametrize("roots", [["/nowhere"], None])
async def test_a_disk_that_does_not_answer_holds_up_no_acceptance(
    house, autojump_clock, monkeypatch, roots
):
    """After half a second the call is accepted, and the tool finds out; a cancel is heard meanwhile."""

    async def check(*_args):
        await trio.sleep_forever()

    monkeypatch.setattr("exai_trio.tools.path_refusals.check", check)
    chat = next(tool for tool in BUILT_IN if tool.name == "chat")
    async with house() as daemon, daemon.connect(roots=roots) as (client, _):
        await client.say(call_of(chat, "files", "/nowhere/a"), Cancel(request_id="r"))
        heard = [await client.hear() for _ in range(3)]

    assert [CallCancelling, CallAccepted, CallFailed] == [type(each) for each in heard]
    assert "CANCELLED" == heard[-1].error.code
