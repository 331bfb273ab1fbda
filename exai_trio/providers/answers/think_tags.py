"""Thinking that a model writes into its answer between <think> and </think>, taken out again. Pure.

It begins with <think> at the very beginning; or without it, since some chat templates write that tag into the prompt: then
what stands before </think> was thinking. Where an answer speaks of the tags, in code or with both of them, they stay.
"""

from typing import Final, Literal

import attrs

from exai_trio import structs

from ..base import ReasoningDelta, TextDelta, TextWasReasoning

OPEN: Final = "<think>"
CLOSE: Final = "</think>"
_FENCE: Final = "```"
_QUOTES: Final = ("`", '"', "'")
Found = TextDelta | ReasoningDelta | TextWasReasoning


@structs.define
class ThinkTags:
    """Feed it the text piece by piece. What may still become a tag is held back until it is clear.

    `reasoned`: the service gave thinking in a field of its own, so that no text was thinking.
    """

    reasoned: bool = attrs.field(default=False, init=False)
    _place: Literal["before", "thinking", "after"] = attrs.field(default="before", init=False)
    _held: str = attrs.field(default="", init=False)
    _closed: bool = attrs.field(default=False, init=False)  # white space behind a tag is dropped
    _stray: bool = attrs.field(default=False, init=False)  # an unopened end, nothing behind it yet
    _text: list[str] = attrs.field(factory=list[str], init=False)
    _thoughts: list[str] = attrs.field(factory=list[str], init=False)

    def feed(self, text: str) -> list[Found]:
        if self._place == "after" and not (self._held or self._stray or "<" in text):
            self._text.append(text)
            return [TextDelta(text)] if text else []
        found: list[Found] = []
        self._read(text, found)
        return found

    @property
    def thinking(self) -> bool:
        """The tag that opened was not closed."""
        return self._place == "thinking"

    @property
    def thought(self) -> str:
        """All that stood between tags."""
        return "".join(self._thoughts)

    def end(self) -> list[Found]:
        """The text is over; what was held back is what it seemed to be."""
        held, self._held = self._held, ""
        if not held or (self._closed and held.isspace()):
            return []
        if self.thinking:
            self._thoughts.append(held)
            return [ReasoningDelta(held)]
        dropped = held == CLOSE and not self._is_spoken_of("")
        return [] if dropped else [TextDelta(held)]

    def _read(self, text: str, found: list[Found]) -> None:
        if self._place == "before":
            text = self._look_for_open(text)
        if self.thinking:
            self._look_for_close(text, found)
        elif self._place == "after" and text:
            self._look_for_stray(text, found)

    def _look_for_open(self, text: str) -> str:
        """Decides whether the answer begins with a tag; returns what is then to be read on."""
        text = self._held + text
        begun = text.lstrip()
        self._held = ""
        if begun.startswith(OPEN):
            self._place = "thinking"
            return begun.removeprefix(OPEN)
        if begun.startswith(CLOSE):
            self._closed = True
            return self._look_for_open(begun.removeprefix(CLOSE))
        if OPEN.startswith(begun) or CLOSE.startswith(begun):  # also nothing but white space
            self._held = text
            return ""
        self._place = "after"
        return begun if self._closed else text

    def _look_for_close(self, text: str, found: list[Found]) -> None:
        """Notes the thinking that is sure, and reads on behind the closing tag, if that has come."""
        thought, closed, rest = self._divided(text)
        if thought:
            self._thoughts.append(thought)
            found.append(ReasoningDelta(thought))
        if closed:
            self._place, self._closed, self.reasoned = "before", True, True
            self._read(rest, found)

    def _look_for_stray(self, text: str, found: list[Found]) -> None:
        """Passes text on, and takes an end of thinking out that has no beginning."""
        before, closed, rest = self._divided(text)
        if before:
            self._pass_on(before, found)
        if closed and not rest:
            self._held = CLOSE  # what comes next tells whether the answer speaks of it
        elif closed:
            if self._is_spoken_of(rest):
                self._pass_on(CLOSE, found)
            else:
                self._stray = True
            self._look_for_stray(rest, found)

    def _divided(self, text: str) -> tuple[str, str, str]:
        """Before the closing tag, the tag, behind it; what could be its beginning is held back."""
        before, closed, rest = (self._held + text).partition(CLOSE)
        self._held = ""
        if not closed:
            sure = len(before) - _overlap(before)
            before, self._held = before[:sure], before[sure:]
        return before, closed, rest

    def _pass_on(self, text: str, found: list[Found]) -> None:
        if self._stray:
            text = text.lstrip()
            if not text:
                return
            self._stray = False
            if not self.reasoned:
                self.reasoned = True
                self._text.clear()
                found.append(TextWasReasoning())
        self._text.append(text)
        found.append(TextDelta(text))

    def _is_spoken_of(self, rest: str) -> bool:
        said = "".join(self._text)
        line = said.rpartition("\n")[2]
        in_code = said.count(_FENCE) % 2 == 1 or line.replace(_FENCE, "").count("`") % 2 == 1
        quoted = said.endswith(_QUOTES) or rest.startswith(_QUOTES)
        return OPEN in said or in_code or quoted


def _overlap(text: str) -> int:
    """How many characters at the end of the text could be the beginning of the closing tag."""
    if "<" not in text[-len(CLOSE) :]:
        return 0
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
