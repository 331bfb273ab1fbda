"""Passwords in URLs, kept out of what is shown. Pure."""

import re
from typing import Final

HIDDEN: Final = "<hidden>"
_SCHEME: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:[/\\]+")
_USER: Final = re.compile(r".*[@\uff20]", re.DOTALL)
_AFTER_HOST: Final = re.compile(
    r"^([^:/\[]*:)(?!\d{0,5}(?:[/?#,]|$)).*", re.DOTALL
)  # no port: a password, and the host forgotten
_QUERY: Final = re.compile(r"([?#]).*", re.DOTALL)


def looks_like_one(text: str) -> bool:
    return _SCHEME.match(text) is not None


def without_password(text: str) -> str:
    """What somebody wrote for an address, without what may be a password in it: before the last @, after the host's colon unless
    that is a port, and in a query."""
    scheme = _SCHEME.match(text)
    head = scheme[0] if scheme else ""
    rest, users = _USER.subn(f"{HIDDEN}@", text[len(head) :])
    if not users and head:
        rest = _AFTER_HOST.sub(rf"\1{HIDDEN}", rest)
    return head + _QUERY.sub(rf"\1{HIDDEN}", rest)
