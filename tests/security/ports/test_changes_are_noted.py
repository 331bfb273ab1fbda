"""Every change that is asked for over HTTP or by a command stands in the access log: who, from where, what, on what, with what result."""

import re
from argparse import _SubParsersAction
from types import SimpleNamespace

import pytest
from routes_of_a_daemon import LOGINS, NEAR, TOKEN, of

from exai_trio.access.access_log import read_lines
from exai_trio.commands.access.change_notes import CHANGES, note_change
from exai_trio.commands.command_modules import CHANGE_SOMETHING
from exai_trio.commands.options import parser
from exai_trio.daemon.connections.identity import OWNER, Identity
from exai_trio.daemon.http.logins.page_logins import PageLogins
from exai_trio.errors import UnauthorizedError


async def test_each_change_over_http_is_noted(place):
    """Generated from the tables of routes: done, refused by its role, or failed; and no token."""
    async with place() as here:
        log = here.daemon.parts.auth.log
        changes = [(port, route) for port, route in here.routes() if route.method != "GET" and route.path not in LOGINS]  # fmt: skip
        for port, route in changes:
            path = re.sub(r"\{\w+\}", "something", route.path)
            for token in (TOKEN, of("vic", "viewer"), "a-wrong-token-of-nobody", ""):
                await here.ask(port, route.method, path, token)
        noted = list(log.lines.waiting)
        refused = sum(log._refused.values())

    assert {f"{route.method} {route.path}" for _, route in changes} == {line["what"] for line in noted}  # fmt: skip
    assert 2 * len(changes) == len(noted)
    assert len(changes) == refused
    assert {"admin", "viewer"} == {line["role"] for line in noted}
    assert {"status 403"} == {line["result"] for line in noted if line["role"] == "viewer"}
    assert all(line["address"] == NEAR and line["t"] for line in noted)
    assert {"something"} == {line["on"] for line in noted if "{" in line["what"]}
    assert not [one for one in (TOKEN, of("vic", "viewer"), "wrong") if one in str(noted)]


async def test_logins_are_noted(place):
    """A code, a login by it and a logout; what was wrong is summed as refused."""
    async with place() as here:
        log = here.daemon.parts.auth.log
        code = (await here.ask("pages", "POST", "/api/login/code", TOKEN)).json["code"]
        wrong = await here.ask("pages", "POST", "/api/login", body={"code": code[:-1] + "."})
        session = (await here.ask("pages", "POST", "/api/login", body={"code": code})).json["session"]  # fmt: skip
        await here.ask("pages", "POST", "/api/logout", session)
        noted, refused = list(log.lines.waiting), sum(log._refused.values())

    assert (401, 1) == (wrong.status, refused)
    assert ["login code", "login", "logout"] == [line["event"] for line in noted]
    assert {("token", "admin", NEAR)} == {
        (line["who"], line["role"], line["address"]) for line in noted
    }
    assert not [one for one in (TOKEN, code, session) if one in str(noted)]


def test_a_code_is_of_no_use_after_five_wrong_ones():
    """Of its own; who guesses at another makes nobody's useless."""
    for wrong, is_good in ((4, True), (5, False)):
        logins = PageLogins(lambda: 0.0)
        code, _ = logins.code_for(OWNER)
        for guess in [code[:-1] + "."] * wrong + ["x" * len(code), ""] * 20:
            with pytest.raises(UnauthorizedError):
                logins.redeem(guess)
        try:
            found = logins.redeem(code)
        except UnauthorizedError:
            found = None
        assert (OWNER if is_good else None) == found


# Commands and actions that only look, that have a log of their own, or that a daemon carries out and notes.
LOOKING = {
    "init", "ask", "call", "models", "tools", "threads list", "threads show", "threads export", "bus list", "bus get", "storage backup",
    "storage check", "storage status", "access", "status", "doctor", "logs", "usage tools", "usage", "dashboard", "top", "alerts",
    "incidents list", "incidents show", "incidents", "config", "config path", "providers detect", "providers test", "serve", "shim",
    "simulate", "completion", "help",
}  # fmt: skip
OWN_LOG = {"term", "token"}


def _commands(of_parser, before=""):
    actions = next((a for a in of_parser._actions if isinstance(a, _SubParsersAction)), None)
    if before and (actions is None or not actions.required):
        yield before
    for name, below in actions.choices.items() if actions else ():
        yield from _commands(below, f"{before} {name}".strip())


def test_whoever_adds_a_command_says_whether_it_changes_something():
    commands = {name for name in _commands(parser()) if name.split()[0] not in OWN_LOG}

    assert {f"{command} {action}".strip() for command, action in CHANGES} == commands - LOOKING
    assert {command for command, _ in CHANGES} == CHANGE_SOMETHING


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"command": "alerts", "action": "silence", "name": "disk"}, ("exai alerts silence", "disk")),
        ({"command": "config", "action": "set", "name": "GLM_API_KEY", "value": "sk-canary"}, ("exai config set", "GLM_API_KEY")),
        ({"command": "config", "action": "unset", "names": ["A", "B"]}, ("exai config unset", "A B")),
        ({"command": "cleanup", "dry_run": False}, ("exai cleanup", None)),
        ({"command": "cleanup", "dry_run": True}, None),
        ({"command": "alerts", "action": None}, None),
    ],
)  # fmt: skip
def test_a_change_by_a_command_is_noted(tmp_path, arguments, line):
    """By the home's owner, whose shell it is; of a setting its name alone."""
    started = SimpleNamespace(
        arguments=SimpleNamespace(**arguments),
        loaded=SimpleNamespace(config=SimpleNamespace(logs=tmp_path)),
    )
    note_change(started, "done")
    noted = list(read_lines(tmp_path))

    assert [line] if line else [] == [(one["what"], one.get("on")) for one in noted]
    assert {("changed", "owner", "done")} >= {(one["event"], one["who"], one["result"]) for one in noted}  # fmt: skip
    assert "canary" not in str(noted)


def test_an_identity_tells_the_log_no_secret():
    assert {"who", "role", "kid", "on"} == set(Identity("token").told())
