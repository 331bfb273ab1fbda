"""`exai term` before a daemon that answers as a test says: what is asked of it, and what is told of its answers."""

import json
from contextlib import asynccontextmanager

import attrs
import pytest

from exai_trio.commands.term import term_command, terminal_requests
from exai_trio.commands.term.attach_terminal import Ended
from exai_trio.transport.client_auth import Credentials
from exai_trio.transport.websocket import Unreachable

ONE = {"session_id": "term_1111", "type": "system", "tab_name": "one", "project_path": "/p", "principal": "owner", "created": 1.0}  # fmt: skip
TWO = ONE | {"session_id": "term_2222", "tab_name": "two", "state": "ended", "exit": {"status": 3}}
LIST = {"op": "sessions", "sessions": [ONE, TWO]}


@attrs.define
class Daemon:
    """What it has heard, without what was shown to it; `answers` by the type of a question."""

    answers: dict
    heard: list = attrs.field(factory=list)
    ends: object = None

    @asynccontextmanager
    async def connect(self, *_):
        yield self

    async def send(self, frame):
        self.heard.append(json.loads(frame))

    async def receive(self):
        return json.dumps(self.answers[self.heard[-1]["type"]])


@pytest.fixture
def term(exai, monkeypatch):
    """Run `exai term` before this daemon: its exit code, stdout, stderr, and the type and data of each question."""

    async def shown(_config, _socket):
        return Credentials(token="t", jwt="")

    async def attached(_config, session, mode):
        return Ended(code=7, words=f"{session} was shown {mode}")

    monkeypatch.setattr(terminal_requests, "shown_to", shown)
    monkeypatch.setattr(term_command, "attach", attached)

    def run(*words, **answers):
        daemon = Daemon({"list": LIST} | answers)
        monkeypatch.setattr(terminal_requests, "connect", daemon.connect)
        said = exai("term", *words)
        return (*said, [(frame["type"], frame["data"]) for frame in daemon.heard])

    return run


def test_terminals_are_listed(term):
    code, out, _, _ = term("list")
    rows = [line.split() for line in out.splitlines()]

    assert 0 == code
    assert [["1111", "one", "system", "running"], ["2222", "two", "system", "ended"]] == [
        row[:4] for row in rows
    ]
    assert ["term_1111", "term_2222"] == [
        one["session_id"] for one in json.loads(term("list", "--json")[1])
    ]
    assert (0, "") == term("list", list={"op": "sessions"})[:2]


def test_one_is_made_and_shown_unless_that_is_not_wanted(term):
    made = {"op": "created", "session": ONE}
    code, out, _, asked = term(
        "new", "--name", "one", "--project", "p1", "--no-attach", create=made
    )

    assert (0, "term_1111\n") == (code, out)
    assert ("create", "one", "p1") == (
        asked[0][0],
        asked[0][1]["tab_name"],
        asked[0][1]["project_id"],
    )
    assert (7, "", "term_1111 was shown rw\n") == term("new", create=made)[:3]


def test_one_is_attached_by_its_name_and_made_anew_where_it_is_gone(term):
    made = {"op": "created", "session": ONE}

    assert (7, "term_1111 was shown ro\n") == term("attach", "one", "--read-only")[0:3:2]
    assert (7, "term_1111 was shown rw\n") == term("attach", "gone", "--recreate", create=made)[
        0:3:2
    ]
    code, _, err, _ = term("attach", "gone")
    assert (1, True) == (code, "there is no session 'gone' here" in err)


def test_one_is_renamed(term):
    done = {"op": "described", "session": ONE}
    renamed = ("rename", {"session_id": "term_1111", "tab_name": "new"})
    assert (0, renamed) == (
        term("rename", "one", "new", rename=done)[0],
        term("rename", "one", "new", rename=done)[3][-1],
    )


def test_those_that_are_named_or_all_that_run_are_ended(term):
    done = {"op": "killed"}

    assert (0, "ended term_2222\n") == term("kill", "two", kill=done)[:2]
    assert (0, "ended term_1111\n") == term("kill", "--all", kill=done)[:2]
    code, _, err, asked = term("kill")
    assert (2, "exai: which terminals? Name them, or say --all\n", ["list"]) == (
        code,
        err,
        [kind for kind, _ in asked],
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"op": "error", "code": "NOT_ALLOWED", "message": "not yours"}, "not yours"),
        ({"op": "bye"}, "the daemon is closing"),
        ({"op": "sessions", "session": 3}, "cannot be read"),
    ],
)
def test_what_the_daemon_refuses_is_said(term, answer, why):
    code, out, err, _ = term("new", create=answer)
    assert (True, "", True) == (code > 0, out, why in err)


@pytest.mark.parametrize(
    ("why", "said"), [("404 here", "EXAI_TERMINALS=true"), ("nobody", "nobody")]
)
def test_a_daemon_that_is_not_there_is_said(exai, monkeypatch, why, said):
    @asynccontextmanager
    async def connect(*_):
        raise Unreachable(why)
        yield

    monkeypatch.setattr(terminal_requests, "connect", connect)
    code, out, err = exai("term", "list")

    assert (True, "", True) == (code > 0, out, said in err)
