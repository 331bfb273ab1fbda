"""Packages from npm at the versions of a lock file, in a folder of their own. Their install scripts are not run."""

import shutil
import subprocess
from pathlib import Path


def npm_ci(lock_folder: Path, folder: Path) -> Path:
    """Returns its node_modules. Does nothing if the same lock was installed there before. Raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (lock_folder / "package-lock.json").read_text(encoding="utf-8")
    marker = folder / "installed-lock.json"
    if not marker.exists() or marker.read_text(encoding="utf-8") != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock_folder / name, folder / name)
        words = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        marker.write_text(lock, encoding="utf-8")
    return folder / "node_modules"
