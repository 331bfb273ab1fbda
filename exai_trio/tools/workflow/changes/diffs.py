"""What a model is shown of a long text of several files: a share of each rather than all of the first, and numbers for the rest. Pure."""

import re
from collections.abc import Callable

import attrs

from exai_trio import structs
from exai_trio.workspace import decoding

_LEAST = 2_000  # bytes of one file: less says nothing
_MARK = re.compile(rb"\ndiff --(?:git|cc|combined) ")
_MARK_BYTES = 20
_MOST_HEADER = 8 * 1024
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"$')


@structs.frozen(kw_only=True)
class Part:
    """One file's part: `text` is its first `shown` lines of `lines`. `remark` says what a reader of the text has to know;
    `looks_like`, which secret the file looks like, if that is why nothing is shown."""

    path: str
    text: str
    lines: int
    shown: int
    remark: str = ""
    looks_like: str = ""

    @property
    def is_cut(self) -> bool:
        return self.shown < self.lines and not self.looks_like


@structs.frozen(kw_only=True)
class Diff:
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def lines(self) -> int:
        return sum(part.lines for part in self.parts)

    @property
    def shown(self) -> int:
        return sum(part.shown for part in self.parts)

    @property
    def cut(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.is_cut)

    @property
    def not_utf8(self) -> tuple[str, ...]:
        return tuple(part.path for part in self.parts if part.remark)

    @property
    def secrets(self) -> dict[str, str]:
        """What looks like a secret and is not shown: which, by its path."""
        return {part.path: part.looks_like for part in self.parts if part.looks_like}


def without_secrets(diff: Diff, look: Callable[[Part], str]) -> Diff:
    """The same without the text of those parts of which `look` says what they look like."""
    return Diff(parts=tuple(_hidden(part, look(part)) for part in diff.parts))


def _hidden(part: Part, looks: str) -> Part:
    return attrs.evolve(part, text="", shown=0, looks_like=looks) if looks else part


def text_of(content: bytes) -> tuple[str, str]:
    """The bytes of one file's part as text, and what a reader has to know of it, "" of clean UTF-8."""
    found = decoding.decoded(content)
    if found is None:
        return content.decode(errors="replace"), "not UTF-8, and no text that is known"
    return found.text, found.remark


@structs.define
class _Growing:
    path: str = ""
    header: bytes = b""
    body: bytearray = attrs.field(factory=bytearray)
    lines: int = 0
    size: int = 0
    remark: str = ""

    def add(self, piece: bytes, most: int) -> int:
        """Gives how many bytes of it were kept."""
        if b"\n" not in self.header:
            self.header = (self.header + piece[:_MOST_HEADER])[:_MOST_HEADER]
        self.lines += piece.count(b"\n")
        self.size += len(piece)
        kept = piece[: max(0, most - len(self.body))]
        self.body += kept
        return len(kept)

    def cut_to(self, most: int) -> int:
        """Gives how many bytes are left."""
        del self.body[most:]
        return len(self.body)

    def finished(self) -> Part:
        whole = len(self.body) == self.size
        if not whole:
            self.body = self.body[: self.body.rfind(b"\n") + 1]
        text, remark = text_of(bytes(self.body))
        shown = self.lines if whole else self.body.count(b"\n")
        return Part(
            path=self.path or _path(self.header),
            text=text,
            lines=self.lines,
            shown=shown,
            remark=self.remark or remark,
        )


@structs.define
class Shares:
    """Takes the parts as they come and keeps at most `most` bytes: of each file the beginning, up to a size that falls as more come."""

    most: int
    _parts: list[_Growing] = attrs.field(factory=list[_Growing])
    _each: int = attrs.field(init=False)
    _kept: int = 0
    _held_back: bytes = b"\n"

    def __attrs_post_init__(self) -> None:
        self._each = self.most

    def feed(self, piece: bytes) -> None:
        """The next bytes of a diff, however they are cut."""
        text = self._held_back + piece
        hold = text.rfind(b"\n", max(0, len(text) - _MARK_BYTES))  # perhaps a mark begins there
        hold = len(text) if hold < 0 else hold
        text, self._held_back = text[:hold], text[hold:]
        start = 0
        for found in _MARK.finditer(text):
            end = found.start() + 1
            self._add(text[start:end])
            self._parts.append(_Growing())
            start = end
        self._add(text[start:])

    def add_file(self, path: str, text: str, remark: str = "") -> None:
        """A whole file, instead of a diff."""
        self._parts.append(_Growing(path=path, remark=remark))
        self._add((text if text.endswith("\n") else f"{text}\n").encode(errors="replace"))

    def finished(self) -> Diff:
        self._add(self._held_back)
        self._held_back = b""
        return Diff(parts=tuple(part.finished() for part in self._parts))

    def _add(self, piece: bytes) -> None:
        if not self._parts:
            piece = piece.lstrip(b"\n")
            if not piece:
                return
            self._parts.append(_Growing())
        part = self._parts[-1]
        self._kept += part.add(piece, self._each)
        while self._kept > self.most:
            self._lower()

    def _lower(self) -> None:
        """Less of each file; when that is too little to say anything, nothing more of this one and of those to come."""
        if self._each > _LEAST:
            self._each = max(_LEAST, self._each * 3 // 4)
            self._kept = sum(part.cut_to(self._each) for part in self._parts)
        else:
            self._each = 0
            self._kept -= len(self._parts[-1].body)
            self._parts[-1].cut_to(0)


def _path(header: bytes) -> str:
    """The name in the first line of a file's part; of one that was renamed the new name."""
    names = header.partition(b"\n")[0].split(b" ", 2)[-1]
    quoted = _QUOTED.search(names)
    if quoted:
        name = quoted[1].decode("unicode_escape").encode("latin-1", "replace")
    elif names.startswith(b"a/") and names[2 : len(names) // 2] == names[len(names) // 2 + 3 :]:
        name = names[len(names) // 2 + 1 :]
    else:
        name = b"b/" + names.rpartition(b" b/")[2]
    return name.removeprefix(b"b/").decode(errors="replace")
