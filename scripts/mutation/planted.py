"""Bugs that are kept: each is planted in a private copy of the project, where the tests that it names must fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT: Final = Path(__file__).with_name("planted.toml")
_COPIED: Final = ("exai_trio", "tests", "scripts", "docs")
_FAILED: Final = 1  # pytest's word for tests that ran, of which one failed
_LIMIT_S: Final = 100.0


@attrs.frozen
class PlantedBug:
    """`text` stands once in the file."""

    name: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...] = attrs.field(converter=tuple)

    def plant(self, place: Path) -> None:
        """In the copy there. Raises ValueError if there is nowhere to plant it."""
        path = place / self.file
        source = path.read_text(encoding="utf-8")
        if source.count(self.text) != 1:
            raise ValueError(f"{self.name}: {self.file} has changed; write planted.toml anew")
        path.write_text(source.replace(self.text, self.instead), encoding="utf-8")

    def is_noticed(self, place: Path) -> bool:
        """Whether its tests fail in the copy there."""
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not real", *self.tests]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            words, cwd=place, env=environment, capture_output=True, check=False, timeout=_LIMIT_S
        )
        return done.returncode == _FAILED


def kept_bugs() -> list[PlantedBug]:
    return [PlantedBug(**each) for each in tomllib.loads(_KEPT.read_text(encoding="utf-8"))["bug"]]


def copy_project(place: Path) -> None:
    """What tests need of it."""
    hidden = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        shutil.copytree(ROOT / name, place / name, ignore=hidden, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", place)
