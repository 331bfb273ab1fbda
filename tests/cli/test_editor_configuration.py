"""`exai config --mcp`."""

import json

import pytest

from exai_trio.commands.options import EDITORS
from exai_trio.commands.settings import Machine, editor_configuration, note_missing_secrets, table
from exai_trio.settings.load import load

MACHINE = Machine(interpreter="/venv/bin/python")


def server(editor: str, *, machine: Machine = MACHINE, file: str = "", **environ: str) -> dict:
    text = editor_configuration(editor, load({}, environ, file), machine)
    (servers,) = json.loads(text).values()
    return servers["exai"]


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_starts_this_interpreter(editor: str):
    """An absolute path, the module, and autostart: nothing depends on the editor's PATH."""
    found = server(editor)

    assert (
        "/venv/bin/python",
        ["-P", "-m", "exai_trio", "shim"],
        {"EXAI_WS_AUTOSTART": "true"},
    ) == (
        found["command"],
        found["args"],
        found["env"],
    )


@pytest.mark.parametrize(
    ("editor", "key", "kind"),
    [
        ("claude", "mcpServers", "stdio"),
        ("cursor", "mcpServers", None),
        ("vscode", "servers", "stdio"),
        ("augment", "mcpServers", None),
    ],
)
def test_each_editor_has_its_shape(editor: str, key: str, kind: str | None):
    """The outer key, and whether the kind of server is named."""
    found = json.loads(editor_configuration(editor, load({}, {}), MACHINE))

    assert (key, kind) == (next(iter(found)), found[key]["exai"].get("type"))


def test_what_was_set_here_goes_along():
    """Editors pass few variables on, so what the shell has set is written down; defaults and the file's are not."""
    machine = Machine(interpreter="/p", env_file="/home/ada/.env")
    found = server("claude", machine=machine, file="LOG_LEVEL=DEBUG", EXAI_WS_PORT="9000")

    assert {
        "EXAI_WS_AUTOSTART": "true",
        "ENV_FILE": "/home/ada/.env",
        "EXAI_WS_PORT": "9000",
    } == found["env"]


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
