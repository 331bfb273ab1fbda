"""The editors themselves, from npm: each lists what was registered, and its file is given back byte for byte.

They are those that `scripts/editors.py` has installed; without them these tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from exai_trio.commands.editors.editor_places import settings_files

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = ROOT / ".editors" / "node_modules"
PROGRAMS = {
    "claude": "@anthropic-ai/claude-code-linux-x64/claude",
    "codex": "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
    "gemini": "@google/gemini-cli/bundle/gemini.js",
    "opencode": "opencode-linux-x64/bin/opencode",
}
OTHERS = {
    "claude": '{\n  "mcpServers": {\n    "other": {\n      "command": "true"\n    }\n  }\n}',
    "codex": '# mine\nmodel = "x"   # keep\n\n[mcp_servers.other]\ncommand = "true"\n\n[tui]\n# last\n',
    "gemini": '{\n  // mine\n    "mcpServers": { "other": {"command": "true"} }\n}\n\n',
    "opencode": '{\n  "$schema": "https://opencode.ai/config.json",\n  // mine\n  "mcp": {},\n}\n',
}
ENOUGH_S = 120
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@attrs.frozen
class Desk:
    """A home of its own with one editor on its PATH; `file` is the editor's."""

    editor: str
    home: Path
    env: dict[str, str]
    file: Path

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.home, env=self.env, input=stdin, capture_output=True, text=True,
            timeout=ENOUGH_S, check=False,
        )  # fmt: skip

    def exai(self, *words: str) -> str:
        ran = self.run(sys.executable, "-P", "-m", "exai_trio", *words)
        assert 0 == ran.returncode, ran.stderr
        return ran.stdout

    def listed(self) -> str:
        ran = self.run(self.editor, "mcp", "list")
        return ran.stdout + ran.stderr


@pytest.fixture(params=sorted(PROGRAMS))
def desk(request, tmp_path, unused_tcp_port):
    editor = request.param
    program = INSTALLED / PROGRAMS[editor]
    if not program.exists():
        pytest.skip(f"{editor} is not there; scripts/editors.py installs it")
    home, bin_ = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    bin_.mkdir()
    (bin_ / editor).symlink_to(program)
    path = [str(bin_), "/usr/bin", "/bin", str(Path(shutil.which("node") or "/usr/bin/node").parent)]  # fmt: skip
    env = {
        "HOME": str(home),
        "PATH": os.pathsep.join(path),
        "LANG": "C.UTF-8",
        "EXAI_HOME": str(tmp_path / "exai"),
        "EXAI_WS_PORT": str(unused_tcp_port),
        "EXAI_SIMULATE": "true",
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }
    found = Desk(editor, home, env, settings_files(editor, env, "linux", home)[0])
    yield found
    found.run(sys.executable, "-P", "-m", "exai_trio", "stop")  # an editor may have started it


def test_it_lists_what_was_installed(desk):
    """In an empty home; and no more once it is removed."""
    desk.exai("config", "--mcp", desk.editor, "--install")
    assert "exai" in desk.listed()

    desk.exai("config", "--mcp", desk.editor, "--remove")
    assert "exai_trio" not in desk.listed()


def test_twice_is_once_and_its_file_is_given_back(desk):
    """Beside what others have there, comments and all."""
    desk.file.parent.mkdir(parents=True, exist_ok=True)
    desk.file.write_text(OTHERS[desk.editor], encoding="utf-8")
    desk.listed()  # so that whatever the editor writes into a new file is there
    before = desk.file.read_bytes()
    desk.exai("config", "--mcp", desk.editor, "--install")
    once = desk.file.read_bytes()
    desk.exai("config", "--mcp", desk.editor, "--install")

    assert once == desk.file.read_bytes() != before
    listed = desk.listed()
    assert "exai" in listed
    assert once == desk.file.read_bytes()
    desk.exai("config", "--mcp", desk.editor, "--remove")
    assert before == desk.file.read_bytes()
    assert desk.editor not in {"claude", "opencode"} or "onnected" in listed


def test_what_is_printed_for_claude_is_what_its_command_takes(desk):
    """From a pipe, and as an argument."""
    if desk.editor != "claude":
        pytest.skip("the others have no such command")
    printed = desk.exai("config", "--mcp", "claude")
    piped = desk.run("claude", "mcp", "add-json", "--scope", "user", "exai", "-", stdin=printed)

    assert 0 == piped.returncode, piped.stderr
    assert "already" in desk.exai("config", "--mcp", "claude", "--install")
    word = desk.run("claude", "mcp", "add-json", "--scope", "project", "exai", printed)
    assert 0 == word.returncode, word.stderr
