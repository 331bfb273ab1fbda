"""What must not be logged, taken out of text. Pure: no trio, no clock, no I/O."""

import re
from collections.abc import Iterable, Mapping
from typing import cast

from exai_trio import structs

MASK = "<redacted>"
LONGEST = 2000  # characters of one string; request bodies are longer
LONGEST_TRACE = 8000
_DEPTH = 6
_LEAST_SECRET = 8  # shorter ones would turn ordinary words into masks

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:token|jwt|api_?key|secret_?key|secret|passw(?:or)?d|authorization|cookie|bearer)s?$"
)
_SECRETS = re.compile(
    r"""
      (?P<label> \b(?:bearer|basic) \s+
               | \b[\w-]*(?:token|jwt|api[_-]?key|secret(?:_key)?|passw(?:or)?d|authorization)"?'? \s* [:=] \s* ["']?
                 (?:(?:bearer|basic)\s+)? )
      [^\s"',;}\])<]+
    | \b(?:sk|ak|org)-[A-Za-z0-9_-]{6,}
    | \beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?
    | \b[0-9a-f]{32}\.[A-Za-z0-9]{8,}
    | (?<=://) [^\s"'<>/]* @
    | \bdata:[\w.+/-]*[;,][^\s"')]*
    """,
    re.VERBOSE | re.IGNORECASE,
)


@structs.frozen
class Redaction:
    """Rules that hold for every process, and the secrets of this one."""

    secrets: frozenset[str] = frozenset()

    @classmethod
    def knowing(cls, secrets: Iterable[str]) -> "Redaction":
        return cls(frozenset(secret for secret in secrets if len(secret) >= _LEAST_SECRET))

    def text(self, text: str, longest: int = LONGEST) -> str:
        text = cut(text, longest + longest // 2)  # so that the patterns see no megabytes
        for secret in self.secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return cut(_SECRETS.sub(_masked, text), longest)

    def value(self, value: object, name: str = "", depth: int = 0) -> object:
        """The value as plain data without secrets. `name` is the key under which it stands."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return MASK if value and _SECRET_KEY.search(name.lower()) else self.text(value)
            case Mapping() if depth < _DEPTH:
                fields = cast("Mapping[object, object]", value)
                return {
                    str(key): self.value(part, str(key), depth + 1) for key, part in fields.items()
                }
            case list() | tuple() | set() | frozenset() if depth < _DEPTH:
                return [
                    self.value(part, name, depth + 1) for part in cast("Iterable[object]", value)
                ]
            case _:
                return self.text(str(value))


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and end with a note of how much is missing between."""
    if len(text) <= longest:
        return text
    head, tail = longest * 2 // 3, longest // 6
    return f"{text[:head]}…[{len(text) - head - tail} characters cut]…{text[-tail:]}"


def _masked(found: re.Match[str]) -> str:
    return (found["label"] or "") + MASK
