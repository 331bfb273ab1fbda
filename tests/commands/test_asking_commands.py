"""`exai tools`, `exai status`, and the console they speak through."""

import json
from io import StringIO

import pytest

from exai_trio.commands import offered_tools as tools_command
from exai_trio.commands.checking import daemon_status
from exai_trio.commands.console import Console, columns, harmless
from exai_trio.config import Config
from exai_trio.transport.websocket import Unreachable


async def tools(daemon, said, *, as_json=False, everything=False, **changes) -> int:
    run = tools_command.run(
        Config(**changes),
        said.console(),
        as_json=as_json,
        everything=everything,
        dial=daemon.dial,
    )
    return await run


async def test_the_daemon_s_tools_are_listed(daemon, said, autojump_clock):
    """One line a tool, with the first sentence of its description."""
    assert (0, "chat  Ask a model\n") == (await tools(daemon, said), said.out.getvalue())


async def test_tools_as_json_are_whole(daemon, said, autojump_clock):
    """JSON holds the schemas."""
    await tools(daemon, said, as_json=True)

    assert "inputSchema" in json.loads(said.out.getvalue())[0]


async def test_without_a_daemon_the_package_s_tools_are_listed(daemon, said, autojump_clock):
    """The list is never empty; stderr says whose it is."""
    daemon.absent = True
    code = await tools(daemon, said)

    assert 0 == code
    assert "chat" in said.out.getvalue()
    assert "would offer" in said.err.getvalue()


async def test_all_tools_are_marked(daemon, said, autojump_clock):
    """--all shows what is listed, hidden and switched off."""
    await tools(daemon, said, everything=True, disabled_tools=frozenset({"version"}))

    marks = {line.split()[1]: line.split()[0] for line in said.out.getvalue().splitlines()}
    assert ("listed", "hidden", "off") == (marks["chat"], marks["test_echo"], marks["version"])


async def test_status_shows_the_daemon_s_health(daemon, said, autojump_clock):
    """--all: facts as an indented list; nested ones below their name."""
    daemon.health = {
        "status": "healthy",
        "global": {"current": 24},
        "tools": ["a", "b"],
        "providers": [{"name": "glm", "models": {"n": 1}}, {"name": "kimi"}],
        "jobs": [],
    }
    shown = said.console()
    code = await daemon_status.run(
        Config(), shown, as_json=False, everything=True, dial=daemon.dial
    )

    assert 0 == code
    assert [
        "daemon at ws://127.0.0.1:8079/",
        "  status: healthy",
        "  global:",
        "    current: 24",
        "  tools: a, b",
        "  providers:",
        "  - name: glm",
        "    models:",
        "      n: 1",
        "  - name: kimi",
        "  jobs: none",
    ] == said.out.getvalue().splitlines()


async def test_status_as_json(daemon, said, autojump_clock):
    """The same facts as data."""
    await daemon_status.run(Config(), said.console(), as_json=True, dial=daemon.dial)

    assert {"status": "healthy", "sessions": 1, "t": daemon.t} == json.loads(said.out.getvalue())


async def test_status_without_a_daemon(daemon, said, autojump_clock):
    """Nobody there is for the command line to explain."""
    daemon.absent = True

    with pytest.raises(Unreachable):
        await daemon_status.run(Config(), said.console(), as_json=False, dial=daemon.dial)


def test_nothing_that_a_terminal_obeys_is_shown():
    """Letters, newlines and tabs stay; escape sequences and bells do not."""
    assert "a[31mb\n\tü" == harmless("a\x1b[31m\x07b\n\tü")


def test_a_pipe_gets_every_byte():
    """Only a screen is protected: what goes into a file is what was answered."""
    out = StringIO()
    Console(out=out, err=StringIO()).say("a\x1bb")

    assert "a\x1bb\n" == out.getvalue()


def test_progress_is_for_who_watches():
    """Without a terminal there are no passing lines."""
    err = StringIO()
    Console(out=StringIO(), err=err).status("thinking")

    assert "" == err.getvalue()


def test_columns_stand_under_each_other():
    """All columns but the last are as wide as their widest cell."""
    assert "a    b\nccc  d" == columns([("a", "b"), ("ccc", "d")])
    assert "" == columns([])
