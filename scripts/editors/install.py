"""The editors from npm, at the versions of package-lock.json, in a folder of their own. Their install scripts are not run."""

import json
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
_PACKAGES = {
    "claude-code": "@anthropic-ai/claude-code-linux-x64",
    "codex": "@openai/codex-linux-x64",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-linux-x64",
}


def install(folder: Path) -> Path:
    """Returns its node_modules. Does nothing if the same lock was installed there before. Raises CalledProcessError."""
    folder.mkdir(exist_ok=True)
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    marker = folder / "installed-lock.json"
    if not marker.exists() or marker.read_text(encoding="utf-8") != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        words = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        marker.write_text(lock, encoding="utf-8")
    return folder / "node_modules"


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
