"""What the text of a setting may be and what it becomes. Pure: no trio, no clock, no I/O."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import isfinite
from pathlib import Path
from typing import TypeVar

from exai_trio import structs
from exai_trio.config import NO_TOKEN
from exai_trio.settings import tokens

Number = TypeVar("Number", int, float)

_LONGEST = 30  # digits and signs: no range of ours is longer, and int() of a million digits is slow
_WHOLE = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST_NAME = 255  # bytes, as systems take them
_LONGEST_PATH = 3_000  # files of ours are below
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?"
)
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]\uff20]+)(:[0-9]{1,5})?|null"
)
_TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*")
_HOST = re.compile(
    r"([!-\-0-?A-~]{1,63}\.)*[!-\-0-?A-~]{0,63}"
)  # what a resolver takes at all, and no user before it
_HOST_ALONE = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\]?")
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@structs.frozen(kw_only=True)
class Place:
    """What parsing needs to know of the machine: the separator of path lists, and what `~` stands for."""

    pathsep: str = ":"
    user_home: str = ""


@structs.frozen(kw_only=True)
class Kind:
    """A kind of value. `parse` raises ValueError for a text that is not `allowed`; it is never given an empty one. A text for
    an address may hold a password, which is not to be shown.
    """

    allowed: str
    parse: Callable[[str, Place], object]
    is_address: bool = False


def switch() -> Kind:
    def parse(text: str, _: Place) -> bool:
        word = text.lower()
        if word not in _TRUE | _FALSE:
            raise ValueError
        return word in _TRUE

    return Kind(allowed="true or false (also yes/no, on/off, 1/0)", parse=parse)


def whole(low: int, high: int) -> Kind:
    def parse(text: str, _: Place) -> int:
        if not _WHOLE.fullmatch(text) or len(text) > _LONGEST:
            raise ValueError
        return _within(int(text), low, high)

    return Kind(allowed=f"a whole number from {low} to {high}", parse=parse)


def number(low: float, high: float, unit: str) -> Kind:
    def parse(text: str, _: Place) -> float:
        if not _DECIMAL.fullmatch(text):
            raise ValueError
        return _within(float(text), low, high)

    return Kind(allowed=f"{unit} from {low:g} to {high:g}", parse=parse)


def seconds(low: float, high: float) -> Kind:
    return number(low, high, "seconds")


def choice(*words: str) -> Kind:
    known = {word.lower(): word for word in words}

    def parse(text: str, _: Place) -> str:
        if text.lower() not in known:
            raise ValueError
        return known[text.lower()]

    return Kind(allowed=" or ".join(words), parse=parse)


def line(what: str = "one line of text") -> Kind:
    def parse(text: str, _: Place) -> str:
        if not text.isprintable():
            raise ValueError
        return text

    return Kind(allowed=f"{what}, without control characters", parse=parse)


def visible(what: str) -> Kind:
    """Text that can stand in an HTTP header: ASCII without spaces."""

    def parse(text: str, _: Place) -> str:
        if not all("!" <= letter <= "~" for letter in text):
            raise ValueError
        return text

    return Kind(allowed=f"{what} of ASCII letters, digits and signs, without spaces", parse=parse)


def token() -> Kind:
    """Short ones too: whether that is allowed depends on who can come."""

    def parse(text: str, _: Place) -> str:
        if not tokens.is_possible(text):
            raise ValueError
        return NO_TOKEN if text.lower() == NO_TOKEN else text

    return Kind(allowed=f"{tokens.ALLOWED}; or none", parse=parse)


def host() -> Kind:
    def parse(text: str, _: Place) -> str:
        if not _HOST.fullmatch(text):
            raise ValueError
        return text

    return Kind(
        allowed="a host name or address in ASCII, its parts between dots of 1 to 63 characters",
        parse=parse,
        is_address=True,
    )


def url() -> Kind:
    def parse(text: str, _: Place) -> str:
        if not _URL.fullmatch(text):
            raise ValueError
        return text.rstrip("/")

    return Kind(
        allowed="an http or https URL without user, query or fragment",
        parse=parse,
        is_address=True,
    )


def database_url() -> Kind:
    """What may stand in it is the database's client's to say; a password does."""

    def parse(text: str, _: Place) -> str:
        if not text.isprintable() or not text.startswith(("postgresql://", "postgres://")):
            raise ValueError
        return text

    return Kind(allowed="a URL that begins with postgresql://", parse=parse, is_address=True)


def redis_url() -> Kind:
    """A password may stand in it."""

    def parse(text: str, _: Place) -> str:
        if not text.isprintable() or not text.startswith(("redis://", "rediss://")):
            raise ValueError
        return text

    return Kind(
        allowed="a URL that begins with redis:// or rediss://", parse=parse, is_address=True
    )


def name() -> Kind:
    def parse(text: str, _: Place) -> str:
        if not _NAME.fullmatch(text):
            raise ValueError
        return text

    return Kind(allowed="1 to 64 letters, digits, -, _ and .", parse=parse)


def path() -> Kind:
    return Kind(
        allowed=f"an absolute path (~ is the user's home), no name in it over {_LONGEST_NAME} bytes",
        parse=_absolute,
    )


def paths() -> Kind:
    def parse(text: str, place: Place) -> tuple[Path, ...]:
        parts = (part.strip() for part in text.split(place.pathsep))
        return tuple(_absolute(part, place) for part in parts if part)

    return Kind(allowed="absolute paths, separated by the platform's path separator", parse=parse)


def tool_names() -> Kind:
    def parse(text: str, _: Place) -> frozenset[str]:
        return frozenset(_matching(text, _TOOL_NAME))

    return Kind(allowed="tool names, separated by commas", parse=parse)


def origins() -> Kind:
    def parse(text: str, _: Place) -> tuple[str, ...]:
        return _matching(text, _ORIGIN)

    return Kind(
        allowed="origins such as https://example.org, separated by commas",
        parse=parse,
        is_address=True,
    )


def hosts() -> Kind:
    def parse(text: str, _: Place) -> tuple[str, ...]:
        words = _matching(text, _HOST_ALONE)
        for word in words:
            if ":" in word:
                ip_address(word.strip("[]"))
        return words

    return Kind(
        allowed="host names or addresses such as exai.example or 192.0.2.7, without ports, separated by commas",
        parse=parse,
    )


def networks() -> Kind:
    def parse(text: str, _: Place) -> tuple[str, ...]:
        words = _matching(text, _NETWORK)
        for word in words:
            ip_network(word)
        return words

    return Kind(
        allowed="addresses or networks such as 192.0.2.7 or 10.0.0.0/8, separated by commas",
        parse=parse,
    )


def _matching(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    words = tuple(word for word in (part.strip() for part in text.split(",")) if word)
    if not all(pattern.fullmatch(word) for word in words):
        raise ValueError
    return words


def _absolute(text: str, place: Place) -> Path:
    if "\0" in text:
        raise ValueError
    if place.user_home and (text == "~" or text.startswith(("~/", "~\\"))):
        text = place.user_home + text[1:]
    found = Path(text)
    sizes = [len(part.encode(errors="surrogateescape")) for part in found.parts]
    whole = sum(sizes) + len(sizes)
    if not found.is_absolute() or max(sizes) > _LONGEST_NAME or whole > _LONGEST_PATH:
        raise ValueError
    return found


def _within(value: Number, low: float, high: float) -> Number:
    if not isfinite(value) or not low <= value <= high:
        raise ValueError
    return value
