"""What `exai ask` asks: the words, what is piped in and the files, as arguments of the tool chat."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from exai_trio.commands.calling import shell_paths
from exai_trio.commands.calling.key_value import WordError, whole

_PICTURES: Final = frozenset({".gif", ".jpeg", ".jpg", ".png", ".webp"})


def joined(words: Iterable[str], piped: str | None) -> str:
    """The question above what is piped in. Raises WordError if there is neither."""
    asked = " ".join(words).strip()
    text = "" if piped is None else piped.strip("\n")
    parts = [part for part in (asked, text) if part.strip()]
    if not parts:
        empty = " (stdin is empty)" if piped is not None else ""
        raise WordError(
            f"there is no question{empty}; write it behind ask, or pipe it in",
            details={"missing": "what does this do?"},
        )
    return "\n\n".join(parts)


def found(paths: Iterable[str], folder: str) -> tuple[list[str], list[str]]:
    """Files and pictures by their whole paths. Raises WordError for one that is not there, naming the nearest."""
    files: list[str] = []
    pictures: list[str] = []
    for given in paths:
        path = shell_paths.whole_path(whole(given, "the name of a file"), folder)
        if not os.path.exists(path):  # noqa: PTH110  # ValueError for none
            raise _missing(given, Path(path))
        (pictures if Path(path).suffix.lower() in _PICTURES else files).append(path)
    return files, pictures


def _missing(given: str, path: Path) -> WordError:
    try:
        names = os.listdir(path.parent)  # noqa: PTH208  # names
    except OSError:
        names = []
    near = get_close_matches(path.name, names, n=1)
    instead = given[: len(given) - len(path.name)] + near[0] if near else ""
    hint = f"; did you mean {instead}?" if near else ""
    return WordError(
        f"-f {given}: there is no such file{hint}", details={"typed": given, "instead": instead}
    )


def arguments(
    question: str, named: tuple[list[str], list[str]], *, model: str, continuation_id: str
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "prompt": question,
        "files": named[0],
        "images": named[1],
        "model": model,
        "continuation_id": continuation_id,
    }
    return {name: value for name, value in given.items() if value}
