"""Which pieces of tool calls belong together, and what calls they make. Pure.

By the description an index tells, but services give several calls one index, leave it out, count it up within one call, or
give each piece of a call another id. So a piece is judged by index, id, name, and whether the call so far is whole JSON.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import attrs

from exai_trio import structs

from ..base import ToolCallDelta
from .characters import whole
from .chunk import CallPiece, Function, arguments_text
from .loose_json import NotJson, spans

_NO_FUNCTION: Final = Function()
_AWAITING_A_VALUE: Final = (":", ",", "[")


@structs.frozen(kw_only=True)
class Piece:
    """What one piece says; "" where it says nothing. `index` is None where it gives none."""

    index: int | None
    id: str
    name: str
    type: str
    arguments: str

    @classmethod
    def of(cls, said: CallPiece, place: int | None) -> "Piece":
        """`place` among the pieces of one chunk stands in for an index where there are several."""
        function = said.function or _NO_FUNCTION
        return cls(
            index=place if said.index is None else said.index,
            id="" if said.id is None else str(said.id),
            name=function.name or "",
            type=said.type or "",
            arguments=arguments_text(function.arguments),
        )


@structs.define(kw_only=True)
class _Call:
    index: int | None
    name: str
    type: str
    ids: list[str] = attrs.field(factory=list[str])
    pieces: list[str] = attrs.field(factory=list[str])

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def begun(self) -> bool:
        return any(not piece.isspace() for piece in self.pieces)

    @property
    def complete(self) -> bool:
        return self.text.rstrip().endswith("}") and len(_spans(self.text)) >= 1

    def take(self, piece: Piece) -> None:
        if piece.id and piece.id not in self.ids:
            self.ids.append(piece.id)
        if piece.name and piece.name != self.name:
            known = "" if piece.name.startswith(self.name) else self.name
            self.name = known + piece.name
        self.type = self.type or piece.type
        if piece.arguments:
            self.pieces.append(piece.arguments)


@structs.define
class ToolCalls:
    """Add the pieces of one answer in order."""

    _calls: list[_Call] = attrs.field(factory=list[_Call], init=False)

    def add(self, said: list[CallPiece]) -> None:
        """The pieces of one chunk."""
        several = len(said) > 1
        for place, each in enumerate(said):
            piece = Piece.of(each, place if several else None)
            call = self._call_of(piece)
            if call is None:
                call = self._begin(piece)
            call.take(piece)

    def whole(self) -> list[ToolCallDelta]:
        """The calls that can be made: each with a name, an id of its own and, unless it was cut, whole JSON."""
        found: list[ToolCallDelta] = []
        used: set[str] = set()
        for call in self._calls:
            for place, arguments in enumerate(_arguments(call.pieces)) if call.name else ():
                named = call.ids[place] if place < len(call.ids) else ""
                own = _own_id(named, len(found), used)
                used.add(own)
                found.append(
                    ToolCallDelta(
                        index=len(found),
                        id=own,
                        name=call.name,
                        arguments=arguments,
                        type=call.type or "function",
                    )
                )
        return found

    def _begin(self, piece: Piece) -> _Call:
        name = piece.name or (self._calls[-1].name if self._calls else "")
        call = _Call(index=piece.index, name=name, type=piece.type)
        self._calls.append(call)
        return call

    def _call_of(self, piece: Piece) -> _Call | None:
        """The call that the piece belongs to, None if it begins one."""
        by_id = self._last(lambda call: piece.id in call.ids) if piece.id else None
        if piece.index is None:
            return self._without_index(piece, by_id)
        here = self._last(lambda call: call.index == piece.index)
        if here is None:
            return self._at_new_index(piece, by_id)
        if by_id is not None and by_id.index == piece.index:
            here = by_id
        return None if _begins_another(here, piece, known=here is by_id) else here

    def _without_index(self, piece: Piece, by_id: _Call | None) -> _Call | None:
        if by_id is not None:
            return None if _begins_another(by_id, piece, known=True) else by_id
        last = self._calls[-1] if self._calls else None
        if last is None or (piece.id and piece.name and not last.begun):
            return None
        return None if _begins_another(last, piece, known=False) else last

    def _at_new_index(self, piece: Piece, by_id: _Call | None) -> _Call | None:
        """A call of its own, unless the index is merely counted up: no call begins without a name."""
        if (
            by_id is not None
            and by_id.begun
            and not by_id.complete
            and piece.name in {"", by_id.name}
        ):
            return by_id
        last = self._calls[-1] if self._calls else None
        if piece.name or last is None or last.complete:
            return None
        return last

    def _last(self, fits: Callable[[_Call], bool]) -> _Call | None:
        return next((call for call in reversed(self._calls) if fits(call)), None)


def _begins_another(call: _Call, piece: Piece, *, known: bool) -> bool:
    """Whether a piece that stands where this call is, or has its id (`known`), is of another call all the same."""
    new_id = bool(piece.id) and bool(call.ids) and not known
    if piece.name and not _same_name(call, piece, new_id=new_id):
        return True
    if not call.begun:
        return new_id and bool(piece.name) and not piece.arguments
    if not call.complete:
        return new_id and bool(piece.name) and _opens_an_object(call, piece)
    if not piece.arguments.strip():
        return False
    if new_id:
        return True
    return bool(piece.name) and not _repeats(call, piece)


def _same_name(call: _Call, piece: Piece, *, new_id: bool) -> bool:
    """Names are said once or repeated; some services say them in parts, before any argument and under no other id."""
    if piece.name == call.name:
        return True
    named_in_parts = bool(call.ids) and not (new_id or call.begun)
    return not call.name or named_in_parts


def _opens_an_object(call: _Call, piece: Piece) -> bool:
    """The text so far waits for no value, so that an object can only be another call's."""
    if not piece.arguments:
        return True
    opens = piece.arguments.lstrip().startswith("{")
    return opens and not call.text.rstrip().endswith(_AWAITING_A_VALUE)


def _repeats(call: _Call, piece: Piece) -> bool:
    return _values(call.text) == _values(piece.arguments)


def _arguments(pieces: list[str]) -> Iterator[str]:
    """The arguments that the pieces make: one text, or one for each object that they hold."""
    text = whole("".join(pieces)).strip()
    objects = _objects(text)
    if len(objects) > 1:
        yield from objects
    elif not objects and _is_cumulative(pieces):
        yield whole(pieces[-1])
    else:
        yield objects[0] if objects else (text or "{}")


def _objects(text: str) -> list[str]:
    """Each whole value once; an empty object before others was a beginning without content. None if something is cut."""
    found: list[str] = []
    seen: list[object] = []
    for value, written in _spans(text):
        if value not in seen:
            seen.append(value)
            found.append(written)
    return found[1:] if len(found) > 1 and seen[0] == {} else found


def _is_cumulative(pieces: list[str]) -> bool:
    """Each piece repeats what came before it, and the last is whole."""
    grown = all(later.startswith(earlier) for earlier, later in pairwise(pieces))
    return len(pieces) > 1 and grown and len(_spans(pieces[-1])) == 1


def _spans(text: str) -> list[tuple[object, str]]:
    try:
        return spans(text.strip())
    except NotJson:  # audit: empty-handler, because a text that is no JSON holds no calls
        return []


def _values(text: str) -> list[object]:
    return [value for value, _ in _spans(text)]


def _own_id(id: str, place: int, used: set[str]) -> str:  # noqa: A002 - the field's name
    own = id or f"call_{place + 1}"
    while own in used:
        own = f"{own}-{place + 1}"
    return own
