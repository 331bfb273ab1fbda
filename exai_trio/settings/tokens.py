"""What a token may be, wherever it comes from: a setting, a file, rotate_token. Pure."""

from typing import Final

LEAST, MOST = 16, 256  # characters
ALLOWED: Final = f"{LEAST} to {MOST} ASCII letters, digits and signs, without spaces"


def is_possible(text: str) -> bool:
    """Whether it can be a token at all; one that is too short can."""
    return 0 < len(text) <= MOST and all("!" <= letter <= "~" for letter in text)


def is_good(text: str) -> bool:
    return len(text) >= LEAST and is_possible(text)
