"""`exai config --mcp EDITOR --install | --remove`, and what is said beside what is printed."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from exai_trio.cli import main
from exai_trio.commands.editors.editor_places import COMMANDS, settings_files
from exai_trio.commands.editors.editors_command import editors_there
from exai_trio.commands.options import EDITORS, parser

pytestmark = pytest.mark.usefixtures("bare")
KEY = "glm-canary-7f3a"
PLACES = {
    "claude": ".claude.json",
    "codex": ".codex/config.toml",
    "gemini": ".gemini/settings.json",
    "opencode": ".config/opencode/opencode.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".config/Code/User/mcp.json",
}


@pytest.fixture(autouse=True)
def no_programs(monkeypatch, tmp_path):
    """No editor of this machine is asked."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def files_below(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize("editor", PLACES)
def test_it_is_installed_where_the_editor_looks(editor, tmp_path, capsys):
    """In an empty home; and removed without a trace but folders."""
    assert 0 == main(["config", "--mcp", editor, "--install"])
    assert [PLACES[editor]] == files_below(tmp_path)
    text = (tmp_path / PLACES[editor]).read_text(encoding="utf-8")
    found = tomllib.loads(text) if editor == "codex" else json.loads(text)
    printed_words = str(found)

    assert "exai_trio" in printed_words
    assert f"--mcp {editor} --remove" in capsys.readouterr().err
    assert 0 == main(["config", "--mcp", editor, "--remove"])
    assert [] == files_below(tmp_path)


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_is_said_where_to_put_it(editor, tmp_path, capsys):
    """On stderr, so that what is printed can be piped."""
    assert 0 == main(["config", "--mcp", editor])
    said = capsys.readouterr().err

    assert ("--install" in said) == (editor in PLACES)
    assert editor not in PLACES or str(tmp_path / PLACES[editor]) in said


def test_what_is_printed_for_claude_is_one_server():
    """As `claude mcp add-json` takes it; the real program is asked in test_real_editors."""
    assert set(COMMANDS) == set(PLACES)


@pytest.mark.parametrize("editor", EDITORS)
def test_with_a_host_nothing_of_this_machine_is_printed(editor, tmp_path, monkeypatch, capsys):
    """Colleagues have other paths, and their own settings; the daemon's address is all they need."""
    (tmp_path / "team.env").write_text("LOG_LEVEL=DEBUG\n", encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "team.env"))
    monkeypatch.setenv("EXAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", ".")
    assert 0 == main(["config", "--mcp", editor, "--host", "exai.example.com", "--port", "9000"])
    printed = capsys.readouterr().out

    assert str(tmp_path) not in printed
    assert "python" not in printed.lower()
    assert all(part in printed for part in ("exai.example.com", "9000", '"exai"', '"shim"'))
    assert "AUTOSTART" not in printed


@pytest.mark.parametrize("words", [["--install"], ["--remove"]])
def test_without_an_editor_the_right_command_is_named(words, capsys):
    """Nothing is guessed."""
    assert 2 == main(["config", *words])
    assert f"exai config --mcp claude {words[0]}" in capsys.readouterr().err


def test_an_editor_without_a_known_file_is_told_to_paste(capsys):
    """One line says what, and what next."""
    assert 1 == main(["config", "--mcp", "augment", "--install"])
    assert "paste what `exai config --mcp augment` prints" in capsys.readouterr().err


def test_without_a_home_nothing_is_written(monkeypatch, capsys):
    """One line says what, and what next."""
    monkeypatch.setenv("HOME", "")

    assert 1 == main(["config", "--mcp", "codex", "--install"])
    assert "set HOME" in capsys.readouterr().err


def test_a_home_without_room_for_a_folder_is_named(tmp_path, capsys):
    """A file stands where the editor's folder should be."""
    (tmp_path / ".codex").write_text("", encoding="utf-8")

    assert 1 == main(["config", "--mcp", "codex", "--install"])
    assert "nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize("editor", PLACES)
def test_keys_stay_out_of_editors_files(editor, tmp_path, monkeypatch, capsys):
    """Those of the shell are named, with the command that keeps them."""
    monkeypatch.setenv("GLM_API_KEY", KEY)
    main(["config", "--mcp", editor, "--install"])
    said = capsys.readouterr()

    assert KEY not in said.out + said.err
    assert not [name for name in files_below(tmp_path) if KEY in (tmp_path / name).read_text()]
    assert "exai config set GLM_API_KEY" in said.err


def test_the_file_with_comments_is_taken_where_there_is_only_that(tmp_path):
    """opencode reads both."""
    file = tmp_path / ".config/opencode/opencode.jsonc"
    file.parent.mkdir(parents=True)
    file.write_text("{\n  // mine\n}\n", encoding="utf-8")
    main(["config", "--mcp", "opencode", "--install"])

    assert "exai_trio" in file.read_text(encoding="utf-8")
    assert [".config/opencode/opencode.jsonc", ".config/opencode/opencode.jsonc.before-exai"] == files_below(tmp_path)  # fmt: skip


def test_editors_may_be_told_to_live_elsewhere(tmp_path):
    """By their own variables; what is no absolute path is not one."""
    environ = {"CODEX_HOME": "/c", "CLAUDE_CONFIG_DIR": "/d", "GEMINI_CLI_HOME": "rel"}
    found = [settings_files(each, environ, "linux", Path("/h"))[0] for each in ("codex", "claude", "gemini")]  # fmt: skip

    assert [Path("/c/config.toml"), Path("/d/.claude.json"), Path("/h/.gemini/settings.json")] == found  # fmt: skip
    mac = settings_files("vscode", {}, "darwin", Path("/h"))
    assert (Path("/h/Library/Application Support/Code/User/mcp.json"),) == mac


def test_an_editor_is_there_if_it_can_be_started_or_has_been(tmp_path):
    """Its command is on the PATH, or its folder exists."""
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    assert () == editors_there(environ)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/codex").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "bin/codex").chmod(0o755)
    (tmp_path / ".cursor").mkdir()

    assert ("codex", "cursor") == editors_there(environ)


def test_the_skill_is_a_file_for_agents(capsys):
    """It names itself, and commands that there are; schemas are not in it."""
    assert 0 == main(["config", "--skill"])
    printed = capsys.readouterr().out

    assert printed.startswith("---\nname: exai\ndescription: ")
    assert "inputSchema" not in printed
    assert len(printed) < 2000
    for typed in re.findall(r"exai (ask [^#\n|]+)", printed.partition("\n# ")[2]):
        assert parser().parse_args(shlex.split(typed.partition("  ")[0]))


def test_a_shim_that_would_not_start_is_not_registered(tmp_path, monkeypatch, capsys):
    """What is wrong is said now, not in the editor."""
    monkeypatch.setenv("EXAI_WS_PORT", "many")

    assert 1 == main(["config", "--mcp", "codex", "--install"])
    assert "EXAI_WS_PORT" in capsys.readouterr().err
    assert [] == files_below(tmp_path)
