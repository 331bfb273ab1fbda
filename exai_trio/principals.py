"""Whose something is: the names under which data are kept. Pure: text only.

A principal is the home's owner, or the subject of a JWT. The owner comes with the home's token or, where none is asked for,
with nothing; data that name nobody are theirs.
"""

from typing import Final

OWNER: Final = "owner"
# As the handshake tells it, and older daemons wrote it; the JWT is the one that our own programs sign with the home's key.
SYNONYMS: Final = (OWNER, "anyone", "token", "jwt:exai", "")


def principal_of(name: str) -> str:
    """The principal of that name, whichever of its names it is."""
    return OWNER if name in SYNONYMS else name


def names_of(principal: str) -> tuple[str, ...]:
    """All names under which rows of this principal may stand."""
    return SYNONYMS if principal in SYNONYMS else (principal,)
