"""Thinking that a model writes into its answer as <think>…</think> at the very beginning, taken out again. Pure."""

from typing import Final, Literal

import attrs

from exai_trio import structs

from .base import ReasoningDelta, TextDelta

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


@structs.define
class ThinkTags:
    """Feed it the text piece by piece. What may still become a tag is held back until it is clear."""

    _place: Literal["before", "thinking", "after"] = attrs.field(default="before", init=False)
    _held: str = attrs.field(default="", init=False)

    def feed(self, text: str) -> list[TextDelta | ReasoningDelta]:
        found: list[TextDelta | ReasoningDelta] = []
        if self._place == "before":
            text = self._look_for_open(text)
        if self._thinking:
            text = self._look_for_close(text, found)
        if text:
            found.append(TextDelta(text))
        return found

    @property
    def _thinking(self) -> bool:
        return self._place == "thinking"

    def end(self) -> list[TextDelta | ReasoningDelta]:
        """The text is over; what was held back is what it seemed to be."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [ReasoningDelta(held) if self._thinking else TextDelta(held)]

    def _look_for_open(self, text: str) -> str:
        """Decides whether the answer begins with the tag; returns what is then to be read on."""
        text = self._held + text
        begun = text.lstrip()
        self._held = ""
        if begun.startswith(OPEN):
            self._place = "thinking"
            return begun.removeprefix(OPEN)
        if OPEN.startswith(begun):  # also true of nothing but white space
            self._held = text
            return ""
        self._place = "after"
        return text

    def _look_for_close(self, text: str, found: list[TextDelta | ReasoningDelta]) -> str:
        """Notes the thinking that is sure; returns the text after the closing tag, if that has come."""
        thought, closed, rest = (self._held + text).partition(CLOSE)
        if closed:
            self._place, self._held = "after", ""
        else:
            sure = len(thought) - _overlap(thought)
            thought, self._held = thought[:sure], thought[sure:]
        if thought:
            found.append(ReasoningDelta(thought))
        return rest.lstrip()


def _overlap(text: str) -> int:
    """How many characters at the end of the text could be the beginning of the closing tag."""
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
