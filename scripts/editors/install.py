"""The editors from npm, at the versions of package-lock.json."""

import json
from pathlib import Path

from .npm import npm_ci

HERE = Path(__file__).parent
_PACKAGES = {
    "claude-code": "@anthropic-ai/claude-code-linux-x64",
    "codex": "@openai/codex-linux-x64",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-linux-x64",
}


def install(folder: Path) -> Path:
    """Returns its node_modules. Raises CalledProcessError."""
    return npm_ci(HERE, folder)


def programs(installed: Path) -> dict[str, Path]:
    """What to start of each editor that is there for this machine, by its command's name."""
    found = {
        "claude": installed / "@anthropic-ai/claude-code-linux-x64/claude",
        "codex": installed / "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
        "gemini": installed / "@google/gemini-cli/bundle/gemini.js",
        "opencode": installed / "opencode-linux-x64/bin/opencode",
    }
    return {name: path for name, path in found.items() if path.exists()}


def versions(installed: Path) -> dict[str, str]:
    """The version of each editor that is there for this machine."""
    found: dict[str, str] = {}
    for name, package in _PACKAGES.items():
        file = installed / package / "package.json"
        if file.exists():
            found[name] = json.loads(file.read_text(encoding="utf-8"))["version"]
    return found
