"""A project in which other people have been, and what must never come out of it: programs that run, files from elsewhere, secrets.

Nothing is attacked from here: `hostile` does that, and `Traps` says afterwards what has come of it.
"""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

_FOREIGN: Final = "foreign-"  # canaries of files outside the roots
_CANARY: Final = "canary-"  # those of keys and tokens
_PROGRAMS: Final = (
    ("filter.trap", "clean"), ("filter.trap", "smudge"), ("filter.trap", "process"), ("filter.a=b", "clean"), ("diff.trap", "textconv"),
    ("diff.trap", "command"), ("core", "fsmonitor"), ("core", "pager"), ("core", "sshCommand"), ("core", "editor"), ("core", "askPass"),
    ("diff", "external"), ("credential", "helper"), ("gpg", "program"), ("pager", "diff"), ("interactive", "diffFilter"),
    ("uploadpack", "packObjectsHook"), ("alias", "diff"),
)  # fmt: skip


def _canary(kind: str) -> str:
    return kind + secrets.token_hex(12)


@attrs.frozen
class Traps:
    """`project` is an allowed root, `outside` is none. `key`, `token` and `jwt` are secrets that nobody may be told."""

    project: Path
    outside: Path
    git: str | None
    foreign: str = attrs.field(factory=lambda: _canary(_FOREIGN))
    key: str = attrs.field(factory=lambda: _canary(_CANARY))
    token: str = attrs.field(factory=lambda: _canary(_CANARY))
    jwt: str = attrs.field(factory=lambda: _canary(_CANARY))

    @property
    def ran(self) -> int:
        """How many programs of the project have run."""
        path = self.outside / "ran"
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0

    @property
    def repositories(self) -> list[Path]:
        return [self.project / "filters", self.project / "elsewhere"] if self.git else []

    @property
    def leading_out(self) -> list[str]:
        """Names that stand for files outside the roots."""
        return [
            str(self.project / "link"),
            str(self.project / "folder" / "secret.txt"),
            str(self.project / "folder"),
            f"{self.project}/../outside/secret.txt",
            str(self.outside / "secret.txt"),
            "/proc/self/environ",
            f"/proc/self/root{self.outside}/secret.txt",
        ]

    def found_in(self, text: str | bytes) -> Iterator[str]:
        """What of it stands in this text that must not."""
        data = text.encode() if isinstance(text, str) else text
        for name in ("foreign", "key", "token", "jwt"):
            if getattr(self, name).encode() in data:
                yield name

    def found_on_disk(self, home: Path) -> Iterator[str]:
        """The same for every file that the daemon has written."""
        for path in home.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield from (f"{name} in {path.name}" for name in self.found_in(path.read_bytes()))


def set_traps(place: Path) -> Traps:
    """Make the project and its surroundings below `place`. Without git there are no repositories in it."""
    traps = Traps(place / "project", place / "outside", shutil.which("git"))
    for folder in (traps.project, traps.outside):
        folder.mkdir()
    (traps.outside / "secret.txt").write_text(traps.foreign, encoding="utf-8")
    (traps.project / "link").symlink_to(traps.outside / "secret.txt")
    (traps.project / "folder").symlink_to(traps.outside)
    if traps.git:
        _filters(traps, traps.git)
        _elsewhere(traps, traps.git)
    return traps


def _filters(traps: Traps, git: str) -> None:
    """A repository whose settings name programs for everything that git may do."""
    program = traps.outside / "program"
    program.write_text(f"#!/bin/sh\necho ran >> {traps.outside}/ran\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    repository = _repository(traps.project / "filters", git)
    (repository / ".gitattributes").write_text("*.a filter=a=b\n* filter=trap diff=trap\n", encoding="utf-8")  # fmt: skip
    (repository / "file.txt").write_text("changed\n", encoding="utf-8")
    (repository / "file.a").write_text("changed\n", encoding="utf-8")
    settings = "".join(_section(name, key, program) for name, key in _PROGRAMS)
    with (repository / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(settings)


def _section(name: str, key: str, program: Path) -> str:
    kind, _, which = name.partition(".")
    return f'[{kind} "{which}"]\n' * bool(which) + f"[{kind}]\n" * (not which) + f"\t{key} = {program}\n"  # fmt: skip


def _elsewhere(traps: Traps, git: str) -> None:
    """A repository whose work tree lies outside the roots."""
    repository = _repository(traps.project / "elsewhere", git)
    with (repository / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(f"[core]\n\tworktree = {traps.outside}\n")
    blob = subprocess.run([git, "-C", repository, "hash-object", "-w", "--stdin"], input=b"old", check=True, capture_output=True)  # fmt: skip
    entry = f"100644,{blob.stdout.decode().strip()},secret.txt"
    subprocess.run([git, "-C", repository, "update-index", "--add", "--cacheinfo", entry], check=True)  # fmt: skip


def _repository(path: Path, git: str) -> Path:
    subprocess.run([git, "init", "-q", path], check=True)
    (path / "file.txt").write_text("first\n", encoding="utf-8")
    (path / "file.a").write_text("first\n", encoding="utf-8")
    for words in (("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first")):  # fmt: skip
        subprocess.run([git, "-C", path, *words], check=True)
    return path
