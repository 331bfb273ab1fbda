"""What must not be logged, taken out of text. Pure: no trio, no clock, no I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import attrs

from exai_trio import structs

MASK = "<redacted>"
LONGEST = 2000  # characters of one string; request bodies are longer
LONGEST_TRACE = 8000
_DEPTH = 6
LEAST_PART = 12  # characters of a secret that tell something of it
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


# What stands behind "Bearer" in a service's words, unless it is a word of theirs.
_CREDENTIALS = re.compile(
    r"""
      (?P<label> \bbearer (?:\s|%20|[:=+])+ ["'`<]* )
      (?! (?: tokens? | auth\w* | schemes? | headers? | keys? | credentials? | prefix | formats? | types? | is | was | not
            | in | as | or | and | with | required | missing | expired | invalid ) \b (?! [-.\w]*\d ) )
      [^\s"'`,;}\])<>]+
    | \b(?:sk|ak|org)-[A-Za-z0-9_-]{6,}
    | \beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?
    | \b[0-9a-f]{32}\.[A-Za-z0-9]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


@structs.frozen(repr=False)
class KnownSecrets:
    """Secrets that may stand in no text: in no case of letters, and in no part of LEAST_PART characters or more."""

    _secrets: frozenset[bytes] = attrs.field(default=frozenset(), alias="secrets")
    # Whatever has a part of a secret has one of these, and nearly no other text has.
    _pieces: tuple[bytes, ...] = attrs.field(
        init=False,
        eq=False,
        default=attrs.Factory(
            lambda self: tuple(piece for each in self._secrets for _, piece in _pieces(each)),
            takes_self=True,
        ),
    )

    @classmethod
    def of(cls, secrets: Iterable[str], least: int = LEAST_PART) -> "KnownSecrets":
        """Those of fewer than `least` characters are left out: they may well be words."""
        return cls(frozenset(_lower(each) for each in secrets if len(each) >= least))

    def masked(self, text: str) -> str:
        """The text with a mask for each part of a secret."""
        if not self._secrets or len(text) < _LEAST_SECRET:
            return text
        data = _lower(text)
        if not self._suspects(data):
            return text
        spans = sorted(span for secret in self._secrets for span in _parts(secret, data))
        if not spans:
            return text
        raw = text.encode("utf-8", "surrogatepass")
        pieces: list[bytes] = []
        at = 0
        for start, end in spans:
            if end > at:
                pieces += [raw[at : max(start, at)], b"" if start < at else MASK.encode()]
                at = end
        return b"".join([*pieces, raw[at:]]).decode("utf-8", "surrogatepass")

    def _suspects(self, data: bytes) -> bool:
        for piece in self._pieces:  # noqa: SIM110  # of each text of each call: a generator takes three times as long
            if piece in data:
                return True
        return False

    def masked_within(self, value: object) -> object:
        """The same for every text in plain data, names included."""
        if not self._secrets or value is None or isinstance(value, int | float):
            return value
        match value:
            case str():
                return self.masked(value)
            case Mapping():
                fields = cast("Mapping[str, object]", value)
                return {self.masked(k): self.masked_within(v) for k, v in fields.items()}
            case list() | tuple():
                return [self.masked_within(each) for each in cast("Iterable[object]", value)]
            case _:
                return value


@structs.frozen
class Redaction:
    """Rules that hold for every process, and the secrets of this one."""

    known: KnownSecrets = attrs.field(factory=KnownSecrets)

    @classmethod
    def knowing(cls, secrets: Iterable[str]) -> "Redaction":
        return cls(KnownSecrets.of(secrets, _LEAST_SECRET))

    def text(self, text: str, longest: int = LONGEST) -> str:
        text = cut(text, longest + longest // 2)  # so that the patterns see no megabytes
        return cut(_SECRETS.sub(_masked, self.known.masked(text)), longest)

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


def without_credentials(text: str) -> str:
    """A service's words without what follows "Bearer", and without what has the form of a key."""
    return _CREDENTIALS.sub(_masked, text)


def _lower(text: str) -> bytes:
    """In small ASCII letters, so that places stay where they are."""
    return text.encode("utf-8", "surrogatepass").lower()


def _parts(secret: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    """Where parts of the secret stand. Each part that is long enough holds one of these pieces whole."""
    least = min(LEAST_PART, len(secret))
    for place, piece in _pieces(secret):
        found = data.find(piece)
        while found >= 0:
            start, end = _extended(secret, place, data, found, len(piece))
            if end - start >= least:
                yield start, end
            found = data.find(piece, max(end - len(piece), found) + 1)


def _pieces(secret: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of the secret with their places, one of which stands whole in each part that is long enough."""
    size = min(LEAST_PART, len(secret)) // 2
    for place in range(0, len(secret) - size + 1, size):
        yield place, secret[place : place + size]


def _extended(secret: bytes, place: int, data: bytes, found: int, size: int) -> tuple[int, int]:
    """The longest common stretch around a piece that stands at `place` there and at `found` here."""
    before = 0
    while before < min(place, found) and secret[place - before - 1] == data[found - before - 1]:
        before += 1
    after = size
    while (
        place + after < len(secret)
        and found + after < len(data)
        and secret[place + after] == data[found + after]
    ):
        after += 1
    return found - before, found + after


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and end with a note of how much is missing between."""
    if len(text) <= longest:
        return text
    head, tail = longest * 2 // 3, longest // 6
    return f"{text[:head]}…[{len(text) - head - tail} characters cut]…{text[-tail:]}"


def _masked(found: re.Match[str]) -> str:
    return (found["label"] or "") + MASK
