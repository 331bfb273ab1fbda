"""The files of editors that cannot be run here, against what their vendors' documentation says of them.

VS Code: code.visualstudio.com/docs/agents/reference/mcp-configuration. Cursor: cursor.com/docs/mcp. Both as of November 2026.
"""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from exai_trio.commands.editors import jsonc_text
from exai_trio.commands.editors.editor_formats import SHAPES, Server, configuration, entry
from exai_trio.commands.editors.editor_places import settings_files

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
FIELDS = {
    "type": {"const": "stdio"},
    "command": {"type": "string", "minLength": 1},
    "args": {"type": "array", "items": {"type": "string"}},
    "env": TEXTS,
    "envFile": {"type": "string"},
}


def documented(table, *required, **more):
    """A file with this table of servers, each of which has these fields and no others."""
    server = {
        "type": "object",
        "properties": {**FIELDS, **more},
        "required": [*required],
        "additionalProperties": False,
    }
    servers = {"type": "object", "additionalProperties": server}
    return Draft202012Validator(
        {"type": "object", "properties": {table: servers}, "required": [table]}
    )


VALID = {
    "vscode": documented("servers", "type", "command", cwd={"type": "string"}),
    "cursor": documented("mcpServers", "command"),
}
PLACES = {
    ("vscode", "linux"): "/home/a/.config/Code/User/mcp.json",
    ("vscode", "darwin"): "/home/a/Library/Application Support/Code/User/mcp.json",
    ("cursor", "linux"): "/home/a/.cursor/mcp.json",
    ("cursor", "darwin"): "/home/a/.cursor/mcp.json",
}
SERVER = Server(
    command="/venv/bin/python", args=["-m", "exai_trio", "shim"], env={"ENV_FILE": "/x"}
)


@pytest.mark.parametrize("editor", VALID)
def test_what_is_printed_is_what_the_vendor_documents(editor):
    """Every field is one of theirs, and none that they require is missing."""
    printed = json.loads(configuration(editor, entry(editor, SERVER, 0)))

    assert [] == [fault.message for fault in VALID[editor].iter_errors(printed)]


@pytest.mark.parametrize("editor", VALID)
def test_a_file_with_other_servers_stays_one_of_theirs(editor):
    """Comments, which both editors read, and inputs stay where they were."""
    table = SHAPES[editor].table
    others = json.dumps({table: {"other": {"type": "stdio", "command": "x"}}})[1:-1]
    before = f'{{\n  // mine\n  "inputs": [],\n  {others}\n}}\n'
    after = jsonc_text.with_value(before, SHAPES[editor].path, entry(editor, SERVER, 0), {})
    read = json.loads(after.replace("// mine", ""))

    assert "  // mine\n" in after
    assert {"other", "exai"} == set(read[table])
    assert [] == [fault.message for fault in VALID[editor].iter_errors(read)]


@pytest.mark.parametrize(("editor", "platform"), PLACES)
def test_the_place_is_the_documented_one(editor, platform):
    assert (Path(PLACES[editor, platform]),) == settings_files(
        editor, {}, platform, Path("/home/a")
    )
