"""Which of the files that may be read may also be sent: not what looks like a secret, unless the user's setting names it.

Nothing in a repository's `.git` is ever sent. Blocking: for threads only.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.workspace import path_policy, safe_open, secrets

_LONGEST_LOOK = 4096  # bytes of one piece that the next is looked at with


@structs.frozen
class Access:
    """What one call may read and send: files inside `roots`; `secret_files` may be sent whatever they look like."""

    roots: tuple[Path, ...]
    secret_files: tuple[Path, ...] = ()

    def resolve(self, given: str) -> Path:
        """Raises: ArgumentError."""
        return safe_open.resolve(given, self.roots)

    def why_not(self, given: str, resolved: Path) -> str:
        """What it looks like by its name, or ""; nothing is opened."""
        names = dict.fromkeys((str(resolved), str(path_policy.parse(given))))
        looks = next((look for name in names if (look := secrets.by_name(name))), "")
        return "" if looks and self._is_named(resolved, looks) else looks

    def why_not_content(self, resolved: Path, content: bytes) -> str:
        """What it looks like by its bytes, or ""."""
        looks = secrets.by_look(content)
        return "" if looks and self._is_named(resolved, looks) else looks

    def _is_named(self, resolved: Path, looks: str) -> bool:
        if looks == secrets.STORE_LOOK:
            return False
        return resolved in safe_open.resolved_roots(self.secret_files)

    def check_name(self, given: str, resolved: Path) -> None:
        """Raises: ArgumentError naming the setting."""
        if looks := self.why_not(given, resolved):
            raise refusal(given, looks)

    def check_content(self, given: str, resolved: Path, content: bytes) -> None:
        """Raises: ArgumentError naming the setting."""
        if looks := self.why_not_content(resolved, content):
            raise refusal(given, looks)


@structs.define
class Watch:
    """Looks at a file that comes piece by piece, also across where they meet."""

    access: Access
    given: str
    resolved: Path
    _before: bytes = b""

    def check(self, piece: bytes) -> Callable[[], None]:
        """Told of the pieces in order. What it returns looks at this one, in any thread, and raises ArgumentError."""
        seam = self._before + piece[:_LONGEST_LOOK] if self._before else b""
        self._before = (self._before + piece[-_LONGEST_LOOK:])[-_LONGEST_LOOK:]
        return partial(self._look, seam, piece)

    def _look(self, *contents: bytes) -> None:
        for content in contents:
            self.access.check_content(self.given, self.resolved, content)


def check_folder(given: str, resolved: Path) -> None:
    """Raises: ArgumentError for a repository's `.git`, and what is in it."""
    if secrets.by_name(str(resolved)) == secrets.STORE_LOOK:
        raise refusal(given, secrets.STORE_LOOK)


def refusal(given: str, looks: str) -> ArgumentError:
    """Of a file that the user named by its path."""
    name = path_policy.shown(given)
    if looks == secrets.STORE_LOOK:
        return ArgumentError(
            f"{name!r} lies in {looks} (.git), which is never sent.", details={"path": name}
        )
    return ArgumentError(
        f"{name!r} looks like a secret ({looks}) and is not sent. If it may be, name it in {secrets.SETTING}"
        " where the daemon is started.",
        details={"path": name, "setting": secrets.SETTING, "looks_like": looks},
    )


def left_out(looks: str) -> str:
    """The reason of a file that nobody named by its path."""
    return f"left out, it looks like a secret ({looks}); {secrets.SETTING} names those that may be sent"
