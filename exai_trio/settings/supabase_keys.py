"""What can be told of a Supabase project by looking at its URL and key. Pure; nothing is verified."""

import re
from typing import Final

_HOST: Final = re.compile(r"https?://(\[[^\]]+\]|[^:/]+)")
_HOSTED: Final = ".supabase.co"
_PUBLISHABLE: Final = "sb_publishable_"
_TOKEN: Final = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]*", re.ASCII)
_ROLE: Final = re.compile(rb'"role"\s*:\s*"(\w+)"')
_PUBLIC_ROLES: Final = frozenset({"anon", "authenticated"})


def host_of(url: str) -> str:
    """Without brackets; "" if there is none."""
    found = _HOST.match(url)
    return found[1].strip("[]") if found else ""


def is_project(project_id: str, url: str) -> bool:
    """Whether the id does not contradict the URL: one of Supabase's own names its project."""
    host = host_of(url)
    return not (project_id and host.endswith(_HOSTED)) or host == project_id + _HOSTED


def project_of(url: str) -> str:
    """The id that one of Supabase's own names begins with; "" for any other."""
    host = host_of(url)
    return host.removesuffix(_HOSTED) if host.endswith(_HOSTED) else ""


def public_kind(key: str) -> str:
    """What it is called, if it is a key that browsers may have; "" for any other."""
    if key.startswith(_PUBLISHABLE):
        return "a publishable key"
    role = _role(key)
    return f"the {role} key" if role in _PUBLIC_ROLES else ""


def _role(key: str) -> str:
    """Of a JSON Web Token; "" if it is none."""
    from base64 import urlsafe_b64decode  # seldom asked

    token = _TOKEN.fullmatch(key)
    if token is None or len(token[1]) % 4 == 1:
        return ""
    claims = urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4))
    role = _ROLE.search(claims)
    return role[1].decode() if role else ""
