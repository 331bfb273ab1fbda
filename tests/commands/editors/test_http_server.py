"""`exai config --mcp http`."""

import json
import tomllib

import pytest

from exai_trio.cli import main
from exai_trio.commands.editors.http_server import http_configuration, needs_token, url_of
from exai_trio.commands.options import EDITORS
from exai_trio.settings.load import load

URL = "https://exai.example/mcp"
SECRET = "a-token-that-stays-here"


@pytest.mark.parametrize("editor", EDITORS)
def test_each_editor_has_the_url_and_no_secret(editor):
    """The header takes the token from the editor's environment."""
    text = http_configuration(editor, URL, with_token=True)
    bare = http_configuration(editor, URL, with_token=False)
    parsed = tomllib.loads(text) if editor == "codex" else json.loads(text)

    assert URL in json.dumps(parsed)
    assert "EXAI_WS_TOKEN" in text
    assert "EXAI_WS_TOKEN" not in bare
    assert URL in bare


@pytest.mark.parametrize(
    ("environ", "url", "token"),
    [
        ({}, None, False),
        ({"EXAI_MCP_PORT": "8090"}, "http://127.0.0.1:8090/mcp", False),
        ({"EXAI_MCP_PORT": "8090", "EXAI_WS_TOKEN": SECRET}, "http://127.0.0.1:8090/mcp", True),
        ({"EXAI_MCP_PORT": "8090", "EXAI_WS_HOST": "::1"}, "http://[::1]:8090/mcp", False),
        ({"EXAI_PUBLIC_URL": "https://exai.example", "EXAI_WS_TOKEN": SECRET}, URL, True),
    ],
)
def test_where_and_whether_a_token_is_needed(environ, url, token):
    """By the settings; nothing where it is off."""
    config = load({}, environ).config

    assert url == url_of(config)
    if url:
        assert token == needs_token(config)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("http",), 0, '"type": "http"'),
        (("http", "codex"), 0, "[mcp_servers.exai]"),
        (("codex", "claude"), 2, "one editor at a time"),
        (("http", "--install"), 2, "pasted by hand"),
        (("nobody",), 2, "nobody"),
    ],
)
def test_the_command(monkeypatch, capsys, words, code, said):
    """One editor at a time; a URL is not installed."""
    monkeypatch.setenv("EXAI_MCP_PORT", "8090")
    found = main(["config", "--mcp", *words])
    told = capsys.readouterr()

    assert code == found
    assert said in told.out + told.err
