"""Two people with a JWT each, and the home's owner, at one daemon: nobody learns of another's data, not even that it is there."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import attrs
import jwt
import pytest
import trio
from free_ports import free_port

from exai_trio.tools.general.threads import TOOL as THREADS
from exai_trio.tools.registry import BUILT_IN
from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import CallTool, Health, Hello

pytestmark = pytest.mark.real

SECRET = "a key for two people, of 32 bytes and more"
TOKEN = "the-token-of-the-home"
MARK = "xylophone"  # stands in everything that ann asks, names and sends, and nowhere else
NOBODYS = "00000000-0000-4000-8000-000000000000"
# Arguments that take an id: what else the tool needs beside it.
TAKES = {"continuation_id", "call_id", "file_id", "file_ids", "value"}
STEP = {
    "step": "s",
    "step_number": 1,
    "total_steps": 2,
    "next_step_required": True,
    "findings": "f",
}
NEEDS = {
    "chat": {"prompt": "go on"},
    "threads": {"operation": "read"},
    "result": {"wait_s": 0},
    "kimi_chat_with_files": {"prompt": "what does it say?", "file_ids": ["file-" + "0" * 12]},
    "smart_file_query": {"question": "what does it say?"},
    "kimi_manage_files": {"operation": "delete"},
    "smart_file_download": {},
    "consensus": {"step": "s", "step_number": 1, "total_steps": 2, "next_step_required": True,
                  "findings": "f", "models": ["glm-4.6"]},
    "tracer": STEP | {"trace_mode": "precision", "target_description": "main"},
    "docgen": STEP | {"document_complexity": True, "document_flow": True, "update_existing": False,
                      "comments_on_complex_logic": True, "num_files_documented": 0,
                      "total_files_to_document": 1},
    "planner": {name: STEP[name] for name in STEP if name != "findings"},
}  # fmt: skip


@attrs.define
class Person:
    """A connection of somebody's."""

    socket: object
    session: str
    calls: int = 100

    async def call(self, tool, **arguments):
        """What comes of it, as the wire says it."""
        self.calls += 1
        request = CallTool(request_id=f"r{self.calls}", name=tool, arguments=arguments)
        await self.socket.send(encode(request))
        return await self.outcome()

    async def outcome(self):
        """The next one that comes."""
        while True:
            message = decode_daemon(await self.socket.receive()).message
            if getattr(message, "op", "") == "call_tool_res":
                return message


@asynccontextmanager
async def person(port, *, session_id=None, last_seq=0, **shown):
    async with connect("127.0.0.1", port, Limits()) as socket:
        # The setting decides which roots there are.
        back = {"session_id": session_id, "last_seq": last_seq}
        hello = Hello(protocol=2, roots=["/"], **back, **shown)
        await socket.send(encode(hello))
        ack = decode_daemon(await socket.receive()).message
        assert ack.ok, ack
        yield Person(socket, ack.session_id)


def of(name):
    claims = {"sub": name, "exp": int(time.time()) + 600}
    return {"jwt": jwt.encode(claims, SECRET, "HS256")}


@attrs.define
class Place:
    """A daemon with a simulator, and what ann has there: by the argument that takes it, an id."""

    port: int
    logs: Path
    anns: dict = attrs.field(factory=dict)


@contextmanager
def serving(home, **settings):
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "ENV_FILE": os.devnull,
        "EXAI_HOME": str(home / "exai"),
        "EXAI_WS_PORT": str(port),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "JWT_SECRET_KEY": SECRET,
        "TOOL_PROFILE": "full",
        "EXAI_DRAIN_S": "0.1",
        **settings,
    }
    command = [sys.executable, "-m", "exai_trio", "serve"]
    with subprocess.Popen(command, env=environ, cwd=home, stdout=subprocess.PIPE) as daemon:
        try:
            assert b"WebSocket ws://" in daemon.stdout.readline()
            yield Place(port, home / "exai" / "logs")
        finally:
            daemon.terminate()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    home = tmp_path_factory.mktemp("owners")
    settings = {"EXAI_WS_TOKEN": TOKEN, "EXAI_SIMULATE": "true", "EXAI_ALLOWED_ROOTS": str(home)}
    with serving(home, **settings) as found:
        found.anns = trio.run(_begin, found, home)
        yield found


async def _begin(place, home):
    """What ann has: a conversation, an investigation, an upload and a call."""
    path = home / f"{MARK}.md"
    path.write_text(f"about a {MARK}\n" * 50)
    (home / "notes.md").write_text("of nobody\n")
    async with person(place.port, **of("ann")) as ann:
        said = await ann.call("chat", prompt=f"tell me of a {MARK}", model="glm-4.6")
        thread = _json(said)["continuation_offer"]["continuation_id"]
        given = await ann.call("kimi_upload_files", files=[str(path)])
        file_id = _content(given)[0]["file_id"]
        handle = handle_of(ann.session, "r101")
        assert MARK in str(await ann.call("threads", operation="read", value=thread))
    return {
        "continuation_id": thread, "value": thread, "call_id": handle, "file_id": file_id, "file_ids": file_id,
        "session_id": ann.session, "path": str(path),
    }  # fmt: skip


def _json(said):
    return json.loads(said.outputs[0].text)


def _content(said):
    content = _json(said)["content"]
    return json.loads(content) if isinstance(content, str) else content


def _taking_ids():
    for tool in (*BUILT_IN, THREADS):
        for field in attrs.fields(tool.arguments):
            if field.name in TAKES:
                yield pytest.param(tool.name, field.name, id=f"{tool.name}-{field.name}")


NEVER = {
    "continuation_id": NOBODYS,
    "value": NOBODYS,
    "call_id": "call_" + "0" * 24,
    "file_id": "file-" + "0" * 12,
    "file_ids": "file-" + "0" * 12,
}


def test_every_argument_that_takes_an_id_is_tried():
    """A new tool with a new name for one cannot be forgotten: whatever ends in id is an id, or is listed here."""
    ids = {
        (tool.name, field.name)
        for tool in (*BUILT_IN, THREADS)
        for field in attrs.fields(tool.arguments)
        if field.name.endswith(("id", "ids")) and field.name not in TAKES
    }

    # Names that one makes up: a branch of a plan, part of a cache key, what GLM is told.
    made_up = {
        ("planner", "branch_id"),
        ("kimi_capture_headers", "session_id"),
        ("glm_web_search", "request_id"),
        ("glm_web_search", "user_id"),
    }
    assert set() == ids - made_up


@pytest.mark.parametrize("asker", ["bob", "owner"])
@pytest.mark.parametrize(("tool", "field"), list(_taking_ids()))
async def test_anothers_id_is_one_that_never_existed(place, tool, field, asker):
    """In every tool that takes an id: the same answer, but for the id itself."""
    answers = []
    async with person(place.port, **_shown(asker)) as other:
        for id_ in (place.anns[field], NEVER[field]):
            given = [id_] if field == "file_ids" else id_
            arguments = NEEDS.get(tool, STEP) | {field: given}
            if tool == "smart_file_query":
                arguments["file_path"] = str(Path(place.anns["path"]).with_name("notes.md"))
            said = await other.call(tool, **arguments)
            answers.append(_told(said, id_))

    assert "NOT_FOUND" == answers[1][0]
    assert answers[1] == answers[0]


def _told(said, id_):
    """Without what is of the moment, and the id."""
    assert not said.ok, said
    return said.error.code, str(said.error.message).replace(id_, "ID"), str(said.error.details).replace(id_, "ID")  # fmt: skip


LISTS = [
    ("threads", {"operation": "list"}),
    ("threads", {"operation": "complete", "argument": "continuation_id", "value": ""}),
    ("kimi_manage_files", {"operation": "list"}),
    ("kimi_manage_files", {"operation": "cleanup_all", "dry_run": True}),
    ("kimi_manage_files", {"operation": "cleanup_orphaned", "dry_run": True}),
    ("kimi_manage_files", {"operation": "cleanup_expired", "dry_run": True}),
    ("activity", {}),
    ("activity", {"source": "server"}),
    ("activity", {"filter": MARK[:6]}),
    ("activity", {"structured": True, "since": "1h"}),
    ("toolcall_log_tail", {"n": 200}),
    ("status", {"tail_lines": 1000, "doctor": True}),
    ("health", {"tail_lines": 1000}),
    ("self-check", {"log_lines": 1000}),
]


@pytest.mark.parametrize("asker", ["carol", "owner"])
@pytest.mark.parametrize(("tool", "arguments"), LISTS, ids=lambda given: str(given)[:60])
async def test_no_list_has_anything_of_anothers(place, tool, arguments, asker):
    """No id, word or session of ann's is in any list, log or report that others get."""
    await _until_logged(place)
    async with person(place.port, **_shown(asker)) as other:
        said = await other.call(tool, **arguments)
    asked_for = set(NEVER) if asker == "owner" and tool not in {"threads", "kimi_manage_files"} else set()  # fmt: skip
    words = {MARK} | {id_ for field, id_ in place.anns.items() if field not in asked_for}

    assert said.ok, said
    assert [] == [word for word in words if word in str(said)]


def _shown(asker):
    return {"token": TOKEN} if asker == "owner" else of(asker)


async def _until_logged(place):
    with trio.fail_after(10):
        path = trio.Path(place.logs / "toolcalls.jsonl")
        while not await path.exists() or MARK not in await path.read_text():
            await trio.sleep(0.05)


async def test_one_has_what_is_ones_own(place):
    """Ann herself finds everything, over another connection too."""
    await _until_logged(place)
    async with person(place.port, **of("ann")) as ann:
        listed = await ann.call("threads", operation="list")
        logged = await ann.call("toolcall_log_tail", n=200)
        held = await ann.call("kimi_manage_files", operation="list")
        report = await ann.call("result", call_id=place.anns["call_id"], wait_s=0)

    assert place.anns["continuation_id"] in str(listed)
    assert MARK in str(logged)
    assert place.anns["file_id"] in str(held)
    assert place.anns["continuation_id"] in str(report)


async def test_the_same_content_is_not_known_from_another(place):
    """Bob sends the file that ann has sent: it is a new one to him, and deleting his leaves hers."""
    path = place.anns["path"]
    async with person(place.port, **of("bob")) as bob, person(place.port, **of("ann")) as ann:
        first = await bob.call("kimi_upload_files", files=[path])
        second = await bob.call("kimi_upload_files", files=[path])
        file_id = _content(first)[0]["file_id"]
        await bob.call("kimi_manage_files", operation="delete", file_id=file_id)
        held = await ann.call("kimi_manage_files", operation="list")
        left = await bob.call("kimi_manage_files", operation="list")

    assert (0, 1) == (_json(first)["metadata"]["reused"], _json(second)["metadata"]["reused"])
    assert place.anns["file_id"] in str(held)
    assert [] == _content(left)["files"]


async def test_a_session_of_anothers_is_one_that_never_existed(place):
    """Whoever asks for it gets the session of its own that it would get for an id that nobody has."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(person(place.port, session_id="taken", **of("ann")))
        theirs = await enter(person(place.port, session_id="taken", **of("bob")))
        again = await enter(person(place.port, session_id="taken", **of("bob")))
        free = await enter(person(place.port, session_id="free", **of("bob")))
        owners = await enter(person(place.port, session_id="taken", token=TOKEN))

    assert theirs.session == again.session != free.session
    assert len(theirs.session) == len(free.session)
    assert "taken" == owners.session


async def test_health_names_nothing_of_anybodys(place):
    """Counts and states of the daemon alone; HTTP tells the same."""
    async with person(place.port, **of("bob")) as bob:
        await bob.socket.send(encode(Health(request_id="h")))
        told = decode_daemon(await bob.socket.receive()).message

    assert "healthy" == told.health["status"]
    assert [] == [word for word in (MARK, *place.anns.values()) if word in str(told)]


@pytest.mark.parametrize("name", ["anyone", "token"])
async def test_an_old_home_is_its_owners(tmp_path, name):
    """A database without owners, with open calls: who comes with the token, or came without one before, hears the call that is
    open and has the conversation by its name; nobody else has either."""
    path = tmp_path / "exai" / "state" / "exai.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as old:
        old.executescript((Path(__file__).parent / "home_before_owners.sql").read_text())
    with serving(tmp_path, EXAI_WS_TOKEN=TOKEN) as place:
        async with person(place.port, session_id=f"win-{name}", last_seq=3, token=TOKEN) as owner:
            heard = await owner.outcome()
            kept = await owner.call("result", call_id=handle_of(f"win-{name}", "r1"), wait_s=0)
            read = await owner.call("threads", operation="read", value="bridge")
        async with person(place.port, session_id=f"win-{name}", last_seq=3, **of("bob")) as bob:
            others = [
                await bob.call("threads", operation="read", value="bridge"),
                await bob.call("threads", operation="list"),
                await bob.call("result", call_id=handle_of(f"win-{name}", "r1"), wait_s=0),
            ]

    assert f"r2 of {name}" in str(heard)
    assert "done before" in str(kept)
    assert "The old one." in str(read)
    assert [False, True, False] == [said.ok for said in others]
    assert [] == _json(others[1])["threads"]
