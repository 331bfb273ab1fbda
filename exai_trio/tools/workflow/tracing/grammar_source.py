"""Sources of other languages, out of what the queries of their grammar found. Pure."""

import re
from collections.abc import Iterable

import attrs

from exai_trio import structs
from exai_trio.tools.workflow.tracing.grammars import Match, Piece
from exai_trio.tools.workflow.tracing.sources import FILE, Drawn, Source, source

_SEPARATORS = re.compile(r"::|->|[\\#.]")
_WORD = re.compile(r"\w")
_QUOTES = "\"'`<>"
_MENTIONS = ("call", "use", "bare", "bound")
_FOR_EVER = 1 << 62


@structs.define
class _Scope:
    """A stretch of the text, in bytes. What is said in it belongs to `drawn`; one that only lends its name has none of its own."""

    start: int
    end: int
    name: str
    drawn: Drawn | None


@structs.define
class _Said:
    """A mention: how it was captured, and where."""

    kind: str
    piece: Piece

    @property
    def start(self) -> int:
        return self.piece.start


def read(found: Iterable[Match]) -> Source:
    """The file that these matches are of."""
    scopes: dict[tuple[int, int], _Scope] = {}
    said, names, faults = list[_Said](), set[int](), list[int]()
    imports: dict[str, None] = {}
    for match in found:
        if "name" in match:
            names.add(match["name"].start)
            scope = _scope(match)
            scopes.setdefault((scope.start, scope.end), scope)
        said += (_Said(kind, match[kind]) for kind in _MENTIONS if kind in match)
        if "import" in match:
            imports.setdefault(match["import"].text.strip(_QUOTES))
        if "fault" in match:
            faults.append(match["fault"].line)
    drawn = _drawn(scopes.values(), [each for each in said if each.start not in names])
    return source(drawn, imports, _doubt(faults))


def _doubt(faults: list[int]) -> str:
    if not faults:
        return ""
    return f"a syntax error near line {min(faults)}; traced as far as it can be read"


def _scope(match: Match) -> _Scope:
    (kind,) = match.keys() - {"name", "owner", "_how"}
    name = _plain(match["name"].text)
    if "owner" in match:
        name = f"{match['owner'].text}.{name}"
    lends = kind in {"scope", "rest"}
    return _Scope(
        start=match[kind].start,
        end=_FOR_EVER if kind == "rest" else match[kind].end,
        name=name,
        drawn=None if lends else Drawn(name=name, line=match["name"].line, kind=kind),
    )


def _drawn(scopes: Iterable[_Scope], said: list[_Said]) -> list[Drawn]:
    """The file itself and its definitions in order, with what is said in each itself."""
    file = Drawn(name="", line=1, kind=FILE)
    found, stack = [file], [_Scope(-1, _FOR_EVER, "", file)]
    inside: list[tuple[Drawn, _Said]] = []
    everything: list[_Scope | _Said] = [*scopes, *said]
    for each in sorted(everything, key=_order):
        while stack[-1].end <= each.start:
            stack.pop()
        around = stack[-1]
        if isinstance(each, _Said):
            inside.append((around.drawn or file, each))
            continue
        each.name = f"{around.name}.{each.name}".lstrip(".")
        if each.drawn:
            each.drawn.name = each.name
            found.append(each.drawn)
        stack.append(attrs.evolve(each, drawn=each.drawn or around.drawn))
    _note(inside)
    return found


def _order(each: _Scope | _Said) -> tuple[int, int]:
    """By the start; what is longer, and so is around it, first; mentions last."""
    return each.start, -each.end if isinstance(each, _Scope) else 0


def _note(inside: list[tuple[Drawn, _Said]]) -> None:
    named = {said.start for _, said in inside if said.kind == "call"}
    bound = {(id(drawn), said.piece.text) for drawn, said in inside if said.kind == "bound"}
    for drawn, said in inside:
        name, line = _last(said.piece.text), said.piece.line
        variable = said.start in named or (id(drawn), said.piece.text) in bound
        if said.kind == "call" or (said.kind == "bare" and not variable):
            drawn.call(name, line)
        elif said.kind == "use":
            drawn.use(name, line)


def _plain(text: str) -> str:
    """A name without quotes, with dots between its parts, and without what stands between angle brackets."""
    if text.isidentifier() or not _WORD.search(text):  # or an operator that a class defines
        return text
    name = _without_brackets(text.strip(_QUOTES + ":")) if "operator" not in text else text
    parts = [part.strip() for part in _SEPARATORS.split(name)]
    return ".".join(part for part in parts if part and part != "prototype")


def _without_brackets(text: str) -> str:
    kept, depth = list[str](), 0
    for character in text:
        depth += character == "<"
        if not depth:
            kept.append(character)
        depth -= character == ">" and depth > 0
    return "".join(kept)


def _last(text: str) -> str:
    return _plain(text).rpartition(".")[2]
