"""A copy of the project, in which mutants are tried while the project is worked on."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Of what lies in .containers some are devices, which can be read for ever.
_LEFT_OUT = (
    *(".git", ".venv", ".containers", ".editors", ".hypothesis", ".coverage.d", ".*_cache"),
    *("reports", "build", "dist", "node_modules"),
)


def run_in_copy(script: str, words: list[str], settings: Mapping[str, str]) -> int:
    """Run that script there with these words and settings. Returns its exit code; the copy is gone then."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="exai-mutants-", ignore_cleanup_errors=True) as name:
        place = Path(name, "project")
        shutil.copytree(here, place, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
        (place / ".venv").symlink_to(here / ".venv")
        # What tests put into temporary folders goes with the copy, also of those that were killed.
        environment = {**os.environ, **settings, "PYTHONPATH": str(place), "TMPDIR": name}
        running = subprocess.Popen([sys.executable, script, *words], cwd=place, env=environment)
        try:
            return running.wait()
        except KeyboardInterrupt:
            return running.wait()  # it was told as well
