"""`exai config --mcp`."""

import json
import tomllib

import pytest

from exai_trio.commands.editors.editor_formats import SHAPES
from exai_trio.commands.editors.shim_server import (
    Machine,
    editor_configuration,
    note_missing_secrets,
)
from exai_trio.commands.options import EDITORS
from exai_trio.commands.setup.show_config import table
from exai_trio.settings.load import load

MACHINE = Machine(interpreter="/venv/bin/python")


def printed(editor: str, *, machine: Machine = MACHINE, file: str = "", **environ: str) -> dict:
    """What is printed, read as the editor reads it."""
    text = editor_configuration(editor, load({}, environ, file), machine)
    return tomllib.loads(text) if editor == "codex" else json.loads(text)


def server(editor: str, *, machine: Machine = MACHINE, file: str = "", **environ: str) -> dict:
    found = printed(editor, machine=machine, file=file, **environ)
    return found if editor == "claude" else found[KEYS[editor]]["exai"]


KEYS = {
    "claude": "mcpServers",
    "codex": "mcp_servers",
    "gemini": "mcpServers",
    "opencode": "mcp",
    "cursor": "mcpServers",
    "vscode": "servers",
    "augment": "mcpServers",
}
# What an editor calls its own limit for a call, and how many of its units a second has.
LIMITS = {
    "claude": ("timeout", 1000),
    "codex": ("tool_timeout_sec", 1),
    "gemini": ("timeout", 1000),
    "opencode": ("timeout", 1000),
}


def env_of(found: dict) -> dict:
    return found.get("env") or found["environment"]


def test_every_editor_has_a_shape():
    """What the command line offers can be printed."""
    assert set(EDITORS) == set(SHAPES) == set(KEYS)


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_starts_this_interpreter(editor: str):
    """An absolute path, the module, and autostart: nothing depends on the editor's PATH."""
    found = server(editor)
    command = found["command"]
    words = command if isinstance(command, list) else [command, *found["args"]]

    assert ["/venv/bin/python", "-P", "-m", "exai_trio", "shim"] == words
    assert "true" == env_of(found)["EXAI_WS_AUTOSTART"]


@pytest.mark.parametrize(("editor", "kind"), [("claude", "stdio"), ("vscode", "stdio"), ("opencode", "local"), ("cursor", None), ("augment", None), ("gemini", None), ("codex", None)])  # fmt: skip
def test_the_kind_of_server_is_named_where_editors_want_it(editor: str, kind: str | None):
    """And nowhere else."""
    assert kind == server(editor).get("type")


@pytest.mark.parametrize("editor", EDITORS)
@pytest.mark.parametrize("chosen", ["", "120", "90.5", "86400"])
def test_editor_and_shim_are_told_one_limit(editor: str, chosen: str):
    """The user's, or a long one; no longer than the editor can keep. An editor that cannot be told gets none, and neither does its shim."""
    loaded = {"EXAI_CLIENT_TIMEOUT_S": chosen} if chosen else {}
    found = server(editor, **loaded)
    told = env_of(found).get("EXAI_CLIENT_TIMEOUT_S")
    if editor not in LIMITS:
        assert loaded.get("EXAI_CLIENT_TIMEOUT_S") == told
        return
    name, per_second = LIMITS[editor]
    most = 300.0 if editor == "opencode" else 86_400.0

    assert found[name] == float(told) * per_second
    assert float(told) == min(float(loaded.get("EXAI_CLIENT_TIMEOUT_S", 1800)), most)
    assert isinstance(found[name], int) or editor == "codex"


@pytest.mark.parametrize("path", ['/a "b"/p', "/ä/ü\\n", "/tab\there", "/\x7f"])
def test_codex_reads_every_path(path: str):
    """Quotes, backslashes and control characters are TOML's."""
    found = server("codex", machine=Machine(interpreter=path, env_file=path))

    assert (path, path) == (found["command"], found["env"]["ENV_FILE"])


def test_what_was_set_here_goes_along():
    """Editors pass few variables on, so what the shell has set is written down; defaults and the file's are not."""
    machine = Machine(interpreter="/p", env_file="/home/ada/.env")
    found = server("claude", machine=machine, file="LOG_LEVEL=DEBUG", EXAI_WS_PORT="9000")

    assert {
        "EXAI_WS_AUTOSTART": "true",
        "ENV_FILE": "/home/ada/.env",
        "EXAI_WS_PORT": "9000",
        "EXAI_CLIENT_TIMEOUT_S": "1800",
    } == found["env"]


@pytest.mark.parametrize("editor", EDITORS)
def test_a_daemon_in_a_container_is_never_started_by_the_shim(editor):
    """Its port is free while the container starts again, and must stay so."""
    found = server(editor, machine=Machine(interpreter="/p", in_container=True))
    env = found.get("env") or found["environment"]

    assert "false" == env["EXAI_WS_AUTOSTART"]


def test_no_secret_is_printed(said):
    """Keys of the shell are not written into an editor's file; a note says where they belong."""
    loaded = load({}, {"ZAI_API_KEY": "very-secret", "EXAI_WS_TOKEN": "very-secret"})
    text = editor_configuration("claude", loaded, MACHINE)
    note_missing_secrets(loaded, said.console())

    assert "very-secret" not in text + said.err.getvalue()
    assert "GLM_API_KEY, EXAI_WS_TOKEN are set in this shell only" in said.err.getvalue()


def test_the_table_names_value_and_origin():
    """One line a setting; the file is named by its path."""
    machine = Machine(interpreter="/p", env_file="/home/ada/.env")
    lines = table(load({}, {"ZAI_API_KEY": "k"}, "LOG_LEVEL=ERROR"), machine).splitlines()
    cells = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}

    assert ["ERROR", "/home/ada/.env"] == cells["LOG_LEVEL"]
    assert ["<set>", "environment, as ZAI_API_KEY"] == cells["GLM_API_KEY"]
