"""What a token may be, wherever it comes from: a setting, a file, rotate_token. Pure."""

import re
from typing import Final

LEAST, MOST = 16, 256  # characters
ALLOWED: Final = f"{LEAST} to {MOST} ASCII letters, digits and signs, without spaces"


_MOST_OF_JWT: Final = 8192
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def is_jwt(text: str) -> bool:
    """Whether it has the form of one, as `exai token issue` prints it: a client shows that in the place of a token."""
    return len(text) <= _MOST_OF_JWT and _JWT.fullmatch(text) is not None


def is_possible(text: str) -> bool:
    """Whether it can be a token at all; one that is too short can."""
    if is_jwt(text):
        return True
    return 0 < len(text) <= MOST and all("!" <= letter <= "~" for letter in text)


def is_good(text: str) -> bool:
    return len(text) >= LEAST and is_possible(text)
