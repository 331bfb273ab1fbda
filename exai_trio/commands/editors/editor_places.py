"""Where each editor keeps what a user has configured for all projects, and what its command is called. Pure: no file is looked at.

docs/how-to/editors.md says the same to users.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

# The commands by which an editor is known to be there.
COMMANDS: Final[Mapping[str, str]] = {
    "claude": "claude",
    "codex": "codex",
    "gemini": "gemini",
    "opencode": "opencode",
    "cursor": "cursor",
    "vscode": "code",
}


def settings_files(
    editor: str, environ: Mapping[str, str], platform: str, home: Path
) -> tuple[Path, ...]:
    """The file, or those of which the first that exists is it; none for an editor whose file is not known."""
    configured = _named(environ, "XDG_CONFIG_HOME", home / ".config")
    opencode = configured / "opencode"
    mac = home / "Library" / "Application Support"
    files = {
        "claude": (_named(environ, "CLAUDE_CONFIG_DIR", home) / ".claude.json",),
        "codex": (_named(environ, "CODEX_HOME", home / ".codex") / "config.toml",),
        "gemini": (_named(environ, "GEMINI_CLI_HOME", home) / ".gemini" / "settings.json",),
        "opencode": (opencode / "opencode.json", opencode / "opencode.jsonc"),
        "cursor": (home / ".cursor" / "mcp.json",),
        "vscode": ((mac if platform == "darwin" else configured) / "Code" / "User" / "mcp.json",),
    }
    return files.get(editor, ())


def own_folder(editor: str, file: Path, home: Path) -> Path:
    """What is there only if somebody has used the editor: the folder of its file, or for Claude Code the file itself."""
    return file if editor == "claude" or file.parent == home else file.parent


def _named(environ: Mapping[str, str], variable: str, usual: Path) -> Path:
    named = Path(environ.get(variable) or "")
    return named if named.is_absolute() else usual
