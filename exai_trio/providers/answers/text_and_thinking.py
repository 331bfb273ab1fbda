"""What a model says in one answer, its thinking told from its text, each character whole. Pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import attrs

from exai_trio import structs

from ..base import Delta, ReasoningDelta, TextDelta
from .characters import Pieces
from .think_tags import Found, ThinkTags


@structs.define
class Spoken:
    """Each method adds what is clear now to `deltas`. `spoke`: there was text that is more than white space."""

    spoke: bool = attrs.field(default=False, init=False)
    _tags: ThinkTags = attrs.field(factory=ThinkTags, init=False)
    _text: Pieces = attrs.field(factory=Pieces, init=False)
    _thoughts: Pieces = attrs.field(factory=Pieces, init=False)

    def think(self, text: str, deltas: list[Delta]) -> None:
        """Thinking that the service gave as such."""
        self._tags.reasoned = True
        self._note_thoughts(self._thoughts.feed(text), deltas)

    def say(self, text: str, deltas: list[Delta]) -> None:
        self._note(self._tags.feed(self._text.feed(text)), deltas)

    def end(self, deltas: list[Delta]) -> None:
        self._note_thoughts(self._thoughts.end(), deltas)
        self._note(self._tags.feed(self._text.end()), deltas)
        self._note(self._tags.end(), deltas)

    def unmark(self, deltas: list[Delta]) -> bool:
        """Thinking between tags that never ended holds the answer, if there is no other text: then it is the text too."""
        if self.spoke or not self._tags.thinking:
            return False
        self._note([TextDelta(self._tags.thought.lstrip())], deltas)
        return True

    def _note_thoughts(self, text: str, deltas: list[Delta]) -> None:
        if text:
            deltas.append(ReasoningDelta(text))

    def _note(self, found: list[Found], deltas: list[Delta]) -> None:
        deltas.extend(found)
        for delta in () if self.spoke else found:
            if isinstance(delta, TextDelta) and delta.text.strip():
                self.spoke = True


def joined(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """The same answer in fewer pieces: text on text is one, and so is thinking on thinking."""
    for kind, alike in groupby(deltas, type):
        if kind is TextDelta or kind is ReasoningDelta:
            yield kind("".join(each.text for each in alike if isinstance(each, kind)))
        else:
            yield from alike
