"""What a service said was wrong, found in whatever body it said it with. Pure. What it means: `verdicts` and the dialects."""

import re
from http import HTTPStatus
from typing import Final, cast

import attrs

from exai_trio import structs
from exai_trio.observability.redaction import without_credentials

from ..answers.characters import whole
from ..answers.loose_json import NotJson, value as json_value, values as json_values

LONGEST_MESSAGE: Final = 500  # characters of a service's own words that we repeat
_LONGEST_BODY: Final = 256 * 1024  # bytes that are looked at
_LONGEST_READ: Final = 20_000  # characters of words that are looked at
_DEEPEST: Final = 6  # records in records that are searched for words
_MOST_ENTRIES: Final = 3  # of a list of faults
_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[a-z!?]", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_SILENT: Final = re.compile(r"<(style|script)\b.*?(?:</\1>|\Z)|<[^>]*>", re.IGNORECASE | re.DOTALL)
_SECRET_IDS: Final = re.compile(r"<?\b(?:org|ak|sk)-[A-Za-z0-9_-]{4,}>?")
# First records within the body, then its own words; a bare `error` may be a label, so that it comes last.
_RECORDS: Final[tuple[str, ...]] = ("error", "errors", "fault", "base_resp", "err")
_WORDS: Final[tuple[str, ...]] = (
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "error_message",
    "error_msg",
    "errorMessage",
    "Message",
    "status_msg",
    "faultstring",
    "description",
    "reason",
    "title",
    *_RECORDS,
)
_CODES: Final = ("code", "error_code", "errorCode", "status_code", "Code")
_TYPES: Final = ("type", "error_type", "status")


@structs.frozen(kw_only=True)
class Complaint:
    """What a service said was wrong. `status` is HTTP's, 200 if the complaint came inside an answer."""

    status: int
    code: str = ""
    type: str = ""
    message: str = ""
    html: bool = False


def complaint_in(status: int, body: bytes) -> Complaint:
    """Whatever a body of that status tells: a JSON error of any shape, HTML, plain text or nothing."""
    if _MARKUP.match(body):
        said = body[:_LONGEST_READ].decode("utf-8", "replace")
        return Complaint(status=status, message=readable(_said_in_markup(said)), html=True)
    try:
        values = json_values(body[:_LONGEST_BODY])
    except NotJson:
        return Complaint(status=status, message=_as_text(body))
    complaint = complaint_of(status, values[0] if len(values) == 1 else values)
    if status == HTTPStatus.OK or complaint.message or complaint.code or not _holds(values):
        return complaint
    return attrs.evolve(complaint, message=_as_text(body))


def complaint_of(status: int, said: object) -> Complaint:
    """The same for JSON that is decoded."""
    told = _told(said, _DEEPEST)
    return Complaint(status=status, code=told.code, type=told.type, message=readable(told.message))


def _as_text(body: bytes) -> str:
    return readable(body[:_LONGEST_BODY].decode("utf-8-sig", "replace"))


def _holds(said: list[object]) -> bool:
    """Whether there is anything in it."""
    return any(
        any(cast("dict[str, object]", each).values()) if isinstance(each, dict) else each
        for each in said
    )


def readable(text: str) -> str:
    """A service's words in one line, cut, without what looks like a credential."""
    text = "".join(c if c.isprintable() else " " for c in whole(text[:_LONGEST_READ]))
    shown = redacted(" ".join(text.split()))
    return shown if len(shown) <= LONGEST_MESSAGE else shown[:LONGEST_MESSAGE] + "…"


def redacted(text: str) -> str:
    """Without credentials, and without the organisation and key ids that Kimi writes into its messages."""
    return without_credentials(_SECRET_IDS.sub("…", text))


@structs.frozen(kw_only=True)
class _Told:
    message: str = ""
    code: str = ""
    type: str = ""


_NOTHING: Final = _Told()


def _told(said: object, depth: int) -> _Told:
    match said:
        case str():
            return _told_by_text(said, depth)
        case list() if depth:
            return _told_by_list(cast("list[object]", said), depth)
        case dict() if depth:
            return _told_by_record(cast("dict[str, object]", said), depth)
        case _:
            return _NOTHING


def _told_by_text(text: str, depth: int) -> _Told:
    """The text itself, or what it tells if it is JSON: gateways quote the answer of the service behind them."""
    if depth and text.lstrip()[:1] in {"{", "["}:
        try:
            inner = _told(json_value(text), depth - 1)
        except NotJson:
            inner = _NOTHING
        if inner.message:
            return inner
    return _Told(message=text)


def _told_by_list(entries: list[object], depth: int) -> _Told:
    told = [found for each in entries if (found := _told(each, depth - 1)) != _NOTHING]
    if not told:
        return _NOTHING
    words = [found.message for found in told if found.message][:_MOST_ENTRIES]
    return _Told(message="; ".join(words), code=told[0].code, type=told[0].type)


def _told_by_record(fields: dict[str, object], depth: int) -> _Told:
    told = {name: _told(fields[name], depth - 1) for name in _WORDS if name in fields}
    records = [name for name in _RECORDS if isinstance(fields.get(name), dict | list)]
    first = next((told[name] for name in (*records, *told) if told[name] != _NOTHING), _NOTHING)
    words = next((found.message for found in told.values() if found.message), "")
    return _Told(
        message=first.message or words or _words_by_field(fields, depth),
        code=first.code or next(filter(None, (_code(fields.get(name)) for name in _CODES)), ""),
        type=first.type or next(filter(None, (_text(fields.get(name)) for name in _TYPES)), ""),
    )


def _words_by_field(fields: dict[str, object], depth: int) -> str:
    """`{"model": ["is required"]}`: faults told by the names of fields, as a list of texts each."""
    lists = {
        name: cast("list[object]", each) for name, each in fields.items() if isinstance(each, list)
    }
    told = [
        f"{name}: {_told(entries, depth - 1).message}"
        for name, entries in lists.items()
        if entries and isinstance(entries[0], str)
    ]
    return "; ".join(told[:_MOST_ENTRIES])


def _code(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return readable(str(value))


def _text(value: object) -> str:
    return readable(value) if isinstance(value, str) else ""


def _said_in_markup(text: str) -> str:
    title = _TITLE.search(text)
    words = title.group(1) if title and title.group(1).strip() else _SILENT.sub(" ", text)
    shown = " ".join(words.split())
    return f"the answer was an HTML page: {shown}" if shown else "the answer was an HTML page"
