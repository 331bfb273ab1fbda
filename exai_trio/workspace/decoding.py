"""Bytes as text: UTF-8, else what a byte order mark says, else the encoding that they look like. Pure.

What is no text stays bytes. Which encoding it was, and how many bytes were no part of it, is kept for whoever reads
the text.
"""

import codecs
import re
from typing import Final

from exai_trio import structs

_SNIFFED_BYTES: Final = 8192  # looked at for a NUL, which is in no text but UTF-16 and UTF-32
_GUESSED_FROM: Final = 64 * 1024  # bytes; more makes a guess slower and no better
# Those of UTF-32 first: the little one begins as UTF-16's does.
_MARKS: Final = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "UTF-32BE"),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)
_WIDE: Final = frozenset({"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"})
# ISO 2022 for East Asia is ASCII with these in it; terminals' colours begin otherwise.
_SHIFTS: Final = (b"\x1b$B", b"\x1b$@", b"\x1b$A", b"\x1b$)")
_ODD = re.compile(
    "[\0-\x07\x0e-\x19\x1c-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]"
)
_EAST_ASIAN: Final = frozenset(
    {
        "GB2312",
        "GB18030",
        "BIG5",
        "BIG5-HKSCS",
        "EUC-JP",
        "SHIFT_JIS",
        "CP932",
        "EUC-KR",
        "CP949",
        "JOHAB",
    }
)
_ASCII: Final = bytes(range(128))
_FEW: Final = 2  # different bytes beyond ASCII
_LETTER: Final = "[À-ÂÄ-ÏÑ-ÔÖØ-Üß-âä-ïñ-ôöø-üÿŒœ]"
# Letters in words of ASCII, and signs by themselves.
_WESTERN = re.compile(
    f"(?<=[A-Za-z]){_LETTER}{{1,2}}|{_LETTER}{{1,2}}(?=[A-Za-z])"
    "|(?<![^\0-\x7f])[©®§°µ±·«»–—‘’“”•…€£¥¿¡™×¼½¾²³](?![^\0-\x7f])"
)
_CONTROL = re.compile(rb"[\0-\x07\x0e-\x19\x1c-\x1f]")
_MOST_ODD: Final = 0.02  # of the characters of what still is text
_MOST_LOST: Final = 0.05
_ONE_MARK_A_BYTE: Final = "exai-one-mark-a-byte"


@structs.frozen(kw_only=True)
class Decoded:
    """`encoding` by the name that people know. `lost` is how many bytes were no part of it; each stands as U+FFFD."""

    text: str
    encoding: str = "UTF-8"
    lost: int = 0

    @property
    def remark(self) -> str:
        """What a reader has to know of it, or "" of clean UTF-8."""
        said: list[str] = []
        if self.encoding != "UTF-8":
            said.append(f"not UTF-8, read as {self.encoding}")
        if self.lost:
            said.append(f"{self.lost:,} undecodable byte(s) shown as U+FFFD")
        return "; ".join(said)


def decoded(content: bytes) -> Decoded | None:
    """The content as text, or None if it is none."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _if_text(_read_as(encoding, content[len(mark) :]))
    if b"\0" in content[:_SNIFFED_BYTES]:
        return _without_mark(content)
    if any(shift in content for shift in _SHIFTS) and (shifted := _shifted(content)):
        return shifted
    try:
        return Decoded(text=content.decode())
    except UnicodeDecodeError:
        return _damaged(content) or _western(content) or _guessed(content)


def what_else(content: bytes) -> str:
    """What content is that is no text, as far as it shows."""
    if _CONTROL.search(content):
        return "binary"
    return "binary, or text of an encoding that is not known here"


def _shifted(content: bytes) -> Decoded | None:
    found = _guess(content[:_GUESSED_FROM])
    return _read_as(found, content) if found.upper().startswith("ISO-2022") else None


def _damaged(content: bytes) -> Decoded | None:
    """UTF-8 of which most characters beyond ASCII are whole; those of other encodings seldom look like it."""
    damaged = _read_as("UTF-8", content)
    whole = sum(not letter.isascii() for letter in damaged.text) - damaged.lost
    return _if_text(damaged) if whole > damaged.lost else None


def _without_mark(content: bytes) -> Decoded | None:
    """UTF-16 or UTF-32; all else with a NUL is binary."""
    found = _guess(content[:_GUESSED_FROM]).upper().replace("-LE", "LE").replace("-BE", "BE")
    return _if_text(_read_as(found, content)) if found in _WIDE else None


def _western(content: bytes) -> Decoded | None:
    """Too little to guess from, which most often is a name, an accent or a sign in English: of Windows' western code page."""
    if len(set(content.translate(None, _ASCII))) > _FEW:
        return None
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        # audit: empty-handler, because None is the answer: not of that code page
        return None
    plausible = _WESTERN.sub("", text).isascii()
    return _if_text(Decoded(text=text, encoding="Windows-1252")) if plausible else None


def _guessed(content: bytes) -> Decoded | None:
    """By the lines that tell: many of plain ASCII between them hide from statistics what the few are."""
    telling = b"".join(line for line in content.splitlines(keepends=True) if not line.isascii())
    found = _guess(telling[:_GUESSED_FROM])
    # What a disk is filled with is a letter to some encodings; those of East Asia are not known before it is taken out.
    if b"\xff" in telling:
        filled = _guess(telling[:_GUESSED_FROM].replace(b"\xff", b""))
        found = filled if filled.upper() in _EAST_ASIAN else found
    return _if_text(_read_as(found, content)) if found else None


def _guess(content: bytes) -> str:
    """The encoding that this looks like, or "" if it is binary."""
    import chardet  # 100 ms and 4 MB for files that are not UTF-8

    return chardet.detect(content)["encoding"] or ""


def _read_as(encoding: str, content: bytes) -> Decoded:
    codecs.register_error(_ONE_MARK_A_BYTE, _marks)
    try:
        return Decoded(text=content.decode(encoding), encoding=encoding)
    except UnicodeDecodeError:
        text = content.decode(encoding, errors=_ONE_MARK_A_BYTE)
    own = content.count("�".encode()) if encoding == "UTF-8" else 0
    return Decoded(text=text, encoding=encoding, lost=text.count("�") - own)


def _marks(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    return "�" * (fault.end - fault.start), fault.end


def _if_text(found: Decoded) -> Decoded | None:
    if "\0" in found.text:
        return None
    odd = sum(1 for _ in _ODD.finditer(found.text))
    if odd > _MOST_ODD * len(found.text) or found.lost > _MOST_LOST * len(found.text):
        return None
    return found
