"""TOML, changed in one place."""

import tomllib

import pytest

from exai_trio.commands.editors.json_spans import Unreadable
from exai_trio.commands.editors.toml_text import value_at, with_value, without_value

PATH = ("mcp_servers", "exai")
ENTRY = {"command": "/p", "args": ["-P"], "tool_timeout_sec": 1800, "env": {"A": "b"}}
TEXTS = [
    "",
    "# mine\nmodel = 'x'   # keep\n",
    '[mcp_servers.other]\ncommand = "true"\n',
    '[mcp_servers.other]\ncommand = "true"\n\n[tui]\na = 1 # last\n',
    '[mcp_servers]\nother = {command = "true"}\n',
    'mcp_servers = {other = {command = "true"}}\n',
    'mcp_servers.other.command = "true"\n',
    "[mcp_servers.a]\nx = 1\n[tui]\ny = 2\n[mcp_servers.b]\nz = 3\n",
    '[mcp_servers.exai]\ncommand = "old"\n[mcp_servers.exai.env]\nA = "1"\n[tui]\n# t\na = 1\n',
    "[a]\r\nb = 1\r\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_put_in_and_all_else_stays(text):
    """What is read afterwards is what was there, and the value; every comment is still in the text."""
    changed = with_value(text, PATH, ENTRY)
    expected = tomllib.loads(text)
    expected.setdefault("mcp_servers", {})["exai"] = ENTRY

    assert expected == tomllib.loads(changed)
    assert text.count("#") == changed.count("#")


@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_taken_out_and_all_else_stays(text):
    """And so it is after it was put in."""
    changed = with_value(text, PATH, ENTRY)
    expected = tomllib.loads(changed)
    del expected["mcp_servers"]["exai"]
    without = tomllib.loads(without_value(changed, PATH))

    assert expected["mcp_servers"] == without.pop("mcp_servers", {})
    assert {key: value for key, value in expected.items() if key != "mcp_servers"} == without


def test_what_is_broken_is_said_with_its_line():
    """As tomllib says it."""
    with pytest.raises(Unreadable, match="line 2"):
        value_at("a = 1\nb = = 2\n", PATH)


def test_what_is_no_table_holds_no_servers():
    """Nothing is put in its place."""
    with pytest.raises(Unreadable, match="no table"):
        with_value("mcp_servers = 7\n", PATH, ENTRY)
