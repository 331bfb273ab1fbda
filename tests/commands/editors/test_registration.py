"""One server in one editor's file: put in, and taken out so that the file is as it was."""

import json
import os
import stat

import attrs
import pytest

from exai_trio.commands.editors.claude_command import ClaudeCommand
from exai_trio.commands.editors.editor_files import CannotChange, EditorFile
from exai_trio.commands.editors.editor_formats import SHAPES, language
from exai_trio.commands.editors.registration import Registration

ENTRY = {"command": "/venv/bin/python", "args": ["-P", "-m", "exai_trio", "shim"], "env": {}}
NEWER = {**ENTRY, "env": {"EXAI_WS_PORT": "9000"}}
THEIRS = {"command": "python", "args": ["run_ws_shim.py"]}
BEFORE = {
    "claude": '{\n  "a": 1,\n  "mcpServers": {\n    "b": {}\n  }\n}',
    "codex": '# mine\nmodel = "x"   # keep\n\n[mcp_servers.b]\ncommand = "true"\n\n[tui]\nz = 1\n',
    "gemini": '{\n  // mine\n    "theme": "Dark",\n  "mcpServers": { }\n}\n\n',
    "opencode": '{ "mcp": {"b": {"type": "local"},}, /* c */ }',
    "cursor": "",
    "vscode": '{\r\n\t"servers": {},\r\n\t"inputs": []\r\n}\r\n',
}
EDITORS = sorted(BEFORE)


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "editor"
    found.mkdir()
    return found


def registration(editor: str, folder, text: str | None = None, own=None) -> Registration:
    path = folder / "settings"
    if text is not None:
        path.write_bytes(text.encode())
    return Registration(shape=SHAPES[editor], file=EditorFile(path), own=own)


def text_with(editor: str, entry: dict) -> str:
    shape = SHAPES[editor]
    return language(shape).with_value(BEFORE[editor], shape.path, entry)


def left_in(folder) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("editor", EDITORS)
def test_the_file_is_given_back_byte_for_byte(editor, folder):
    """Whatever its layout; and no copy is left lying."""
    tried = registration(editor, folder, BEFORE[editor])
    tried.install(ENTRY)

    assert ENTRY == tried.current()
    tried.remove()
    assert BEFORE[editor].encode() == tried.file.path.read_bytes()
    assert ["settings"] == left_in(folder)


@pytest.mark.parametrize("editor", EDITORS)
def test_a_file_that_was_not_there_is_gone_again(editor, folder):
    """And its owner alone may read it while it is."""
    tried = registration(editor, folder)
    tried.install(ENTRY)

    assert 0o600 == stat.S_IMODE(tried.file.path.stat().st_mode)
    tried.remove()
    assert [] == left_in(folder)


@pytest.mark.parametrize("editor", EDITORS)
def test_twice_is_once(editor, folder):
    """The second time nothing is written."""
    tried = registration(editor, folder, BEFORE[editor])
    tried.install(ENTRY)
    first = tried.file.path.read_bytes(), tried.file.path.stat().st_ino

    assert "already" in tried.install(ENTRY)
    assert first == (tried.file.path.read_bytes(), tried.file.path.stat().st_ino)


@pytest.mark.parametrize("editor", EDITORS)
def test_a_newer_entry_replaces_ours(editor, folder):
    """And the file is given back as it was before the first."""
    tried = registration(editor, folder, BEFORE[editor])
    tried.install(ENTRY)
    tried.install(NEWER)

    assert NEWER == tried.current()
    tried.remove()
    assert BEFORE[editor].encode() == tried.file.path.read_bytes()


@pytest.mark.parametrize("editor", EDITORS)
def test_anothers_server_of_that_name_is_kept_and_comes_back(editor, folder):
    """Also when the file has been changed meanwhile."""
    text = text_with(editor, THEIRS)
    tried = registration(editor, folder, text)

    assert str(tried.file.copy) in tried.install(ENTRY)
    assert text.encode() == tried.file.copy.read_bytes()
    with tried.file.path.open("a", encoding="utf-8") as file:
        file.write("\n")
    tried.remove()
    assert THEIRS == tried.current()


@pytest.mark.parametrize("editor", EDITORS)
def test_what_was_added_meanwhile_stays(editor, folder):
    """Only our entry goes."""
    tried = registration(editor, folder, BEFORE[editor])
    tried.install(ENTRY)
    shape = SHAPES[editor]
    text = language(shape).with_value(tried.file.text(), (shape.table, "later"), {"command": "x"})
    tried.file.path.write_text(text, encoding="utf-8")
    tried.remove()
    found = language(shape).as_value(tried.file.text())[shape.table]

    assert {"command": "x"} == found["later"]
    assert "exai" not in found
    assert ["settings"] == left_in(folder)


@pytest.mark.parametrize("editor", EDITORS)
def test_anothers_server_is_not_removed(editor, folder):
    """There is nothing of ours to take out."""
    tried = registration(editor, folder, text_with(editor, THEIRS))

    with pytest.raises(CannotChange, match="is not this program"):
        tried.remove()
    assert THEIRS == tried.current()


def test_nothing_is_removed_where_nothing_is(folder):
    """And that is no fault."""
    assert "does not have it" in registration("codex", folder).remove()
    assert [] == left_in(folder)


BROKEN = {
    "broken": b'{\n  "a": 1\n  "b": 2\n}',
    "no object": b"[]",
    "no text": b'{"a": "\xff"}',
    "null": b'{"mcpServers": null}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_understood_is_left_as_it_is(name, folder):
    """With one line that names it."""
    tried = registration("claude", folder)
    tried.file.path.write_bytes(BROKEN[name])

    with pytest.raises(CannotChange, match=r"settings.*[Nn]othing was changed"):
        tried.install(ENTRY)
    assert BROKEN[name] == tried.file.path.read_bytes()
    assert ["settings"] == left_in(folder)


def test_a_link_stays_one(folder, tmp_path):
    """What it leads to is changed, and given back."""
    real = tmp_path / "dotfiles" / "settings.json"
    real.parent.mkdir()
    real.write_text(BEFORE["gemini"], encoding="utf-8")
    tried = registration("gemini", folder)
    tried.file.path.symlink_to(real)
    tried.install(ENTRY)

    assert tried.file.path.is_symlink()
    assert "exai_trio" in real.read_text(encoding="utf-8")
    tried.remove()
    assert BEFORE["gemini"] == real.read_text(encoding="utf-8")
    assert ["settings.json"] == left_in(real.parent)


def test_a_link_to_itself_is_named(folder):
    """Nothing can be written there."""
    tried = registration("gemini", folder)
    tried.file.path.symlink_to(tried.file.path)

    with pytest.raises(CannotChange, match="leads nowhere"):
        tried.install(ENTRY)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_named(kind, folder):
    """And nobody waits for it."""
    tried = registration("gemini", folder)
    tried.file.path.mkdir() if kind == "folder" else os.mkfifo(tried.file.path)

    with pytest.raises(CannotChange, match="is no file"):
        tried.install(ENTRY)


def test_a_read_only_file_is_left_as_it_is(folder):
    """The line says how it may be changed."""
    tried = registration("vscode", folder, BEFORE["vscode"])
    tried.file.path.chmod(0o444)

    with pytest.raises(CannotChange, match="chmod"):
        tried.install(ENTRY)
    assert BEFORE["vscode"].encode() == tried.file.path.read_bytes()
    assert ["settings"] == left_in(folder)


def test_the_mode_of_the_file_is_kept(folder):
    """And the copy, which may hold others' secrets, is its owner's alone."""
    tried = registration("vscode", folder, BEFORE["vscode"])
    tried.file.path.chmod(0o640)
    tried.install(ENTRY)

    assert 0o640 == stat.S_IMODE(tried.file.path.stat().st_mode)
    assert 0o600 == stat.S_IMODE(tried.file.copy.stat().st_mode)


@pytest.mark.parametrize("room", [0, 20, 80])
def test_a_full_disk_loses_nothing(room, folder, no_file_over):
    """The file is as it was, and nothing half written lies beside it."""
    tried = registration("claude", folder, BEFORE["claude"])

    with no_file_over(room), pytest.raises(CannotChange, match="nothing was changed"):
        tried.install(ENTRY)
    assert BEFORE["claude"].encode() == tried.file.path.read_bytes()
    assert ["settings"] == left_in(folder)


@attrs.define
class FakeClaude:
    """`claude mcp`, as it changes its file: written anew, and the table stays when it is empty."""

    path: object
    works: bool = True
    asked: list[str] = attrs.field(factory=list)

    def add(self, entry) -> bool:
        self.asked.append("add")
        return self._with(lambda servers: servers.setdefault("exai", dict(entry)))

    def remove(self) -> bool:
        self.asked.append("remove")
        return self._with(lambda servers: servers.pop("exai"))

    def _with(self, change) -> bool:
        if not self.works:
            return False
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else "{}"
        document = json.loads(text)
        change(document.setdefault("mcpServers", {}))
        self.path.write_text(json.dumps(document, indent=2), encoding="utf-8")
        return True


@pytest.mark.parametrize("text", [BEFORE["claude"], '{\n  "a": 1\n}'])
def test_claudes_own_command_is_asked(text, folder):
    """It adds and removes; a table that it leaves behind empty goes too."""
    own = FakeClaude(folder / "settings")
    tried = registration("claude", folder, text, own)
    tried.install(ENTRY)
    tried.install(NEWER)
    tried.remove()

    assert ["add", "remove", "add", "remove"] == own.asked
    assert text == tried.file.text()
    assert ["settings"] == left_in(folder)


def test_where_the_command_fails_the_file_is_changed(folder):
    """An older version, say, that lacks it."""
    own = FakeClaude(folder / "settings", works=False)
    tried = registration("claude", folder, BEFORE["claude"], own)
    tried.install(ENTRY)

    assert ENTRY == tried.current()
    tried.remove()
    assert BEFORE["claude"] == tried.file.text()


def test_the_command_is_told_by_stdin(tmp_path):
    """Other users see command lines."""
    program = tmp_path / "claude"
    program.write_text('#!/bin/sh\necho "$@" >"$0.words"\ncat >"$0.stdin"\n', encoding="utf-8")
    program.chmod(0o755)

    assert ClaudeCommand(program=str(program), environ={"PATH": "/bin:/usr/bin"}).add(ENTRY)
    assert "mcp add-json --scope user exai -\n" == (tmp_path / "claude.words").read_text()
    assert ENTRY == json.loads((tmp_path / "claude.stdin").read_text())


def test_a_command_that_fails_or_is_gone_did_nothing(tmp_path):
    """So who asked does it another way."""
    program = tmp_path / "claude"
    assert not ClaudeCommand(program=str(program), environ={}).remove()
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    assert not ClaudeCommand(program=str(program), environ={"PATH": "/bin:/usr/bin"}).remove()
