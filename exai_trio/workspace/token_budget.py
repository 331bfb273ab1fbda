"""How many tokens texts take, and which files fit a number of them. Pure.

Files that do not fit stay named, with how large they are: the reader can ask for them by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import add

import attrs

from exai_trio.workspace.read import Reading

# Code and English run at 3 to 4 characters a token: 3 errs towards leaving room. Beyond ASCII, bytes are counted instead.
_CHARACTERS_PER_TOKEN = 3
_TOKENS_OF_A_LINE_NUMBER = 2
# The share of a context that the files of one message may fill; the rest is for history, thinking and the answer.
FILES_SHARE = 0.5
_USUAL_LINES = 5_000
_USUAL_CONTEXT = 128_000  # tokens, for models that nobody has described


def room_for_files(context_window: int | None) -> int:
    """Tokens that the files of one message may take."""
    return int((context_window or _USUAL_CONTEXT) * FILES_SHARE)


def text_tokens(text: str) -> int:
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    return size // _CHARACTERS_PER_TOKEN


def file_tokens(text: str) -> int:
    """With the numbers in front of its lines."""
    return text_tokens(text) + _TOKENS_OF_A_LINE_NUMBER * (text.count("\n") + 1)


def numbered(text: str) -> str:
    """The text with its lines numbered from 1, so that an answer can name them. Ends without a line break."""
    lines = text.removesuffix("\n").split("\n")
    usual = _usual_numbers()
    further = (f"{number}| " for number in range(len(usual) + 1, len(lines) + 1))
    return "\n".join(map(add, chain(usual, further), lines))


@lru_cache(maxsize=1)
def _usual_numbers() -> tuple[str, ...]:
    """Made once: numbering is most of what it takes to put a large prompt together."""
    return tuple(f"{number:>4}| " for number in range(1, _USUAL_LINES + 1))


def fit(
    readings: Mapping[str, Reading], messages: Iterable[Sequence[str]], tokens: int
) -> dict[str, Reading]:
    """All readings; those that do not fit the `tokens` of a message that names them have a reason for a text.

    Each message has room of its own, so that what a later one brings changes nothing in what an earlier one shows.
    """
    fitted: dict[str, Reading] = {}
    for paths in messages:
        room = tokens
        for path in paths:
            reading = readings.get(path)
            if reading is None or (path in fitted and not fitted[path].reason):
                continue
            size = 0 if reading.reason else file_tokens(reading.text)
            fitted[path] = reading if size <= room else _left_out(reading, size, tokens)
            room -= size if size <= room else 0
    return {**readings, **fitted}


def _left_out(reading: Reading, size: int, tokens: int) -> Reading:
    return attrs.evolve(
        reading,
        text="",
        reason=f"left out, about {size:,} tokens: the files of one message may take {tokens:,}",
    )
