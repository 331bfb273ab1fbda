"""The questions of `exai init`: four at most, each with an answer that Enter gives."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from exai_trio import structs
from exai_trio.commands.console import Console
from exai_trio.commands.editors.editor_places import COMMANDS
from exai_trio.commands.initial import choices
from exai_trio.commands.initial.choices import Choice, Found
from exai_trio.commands.initial.key_advice import fault_of
from exai_trio.commands.setup.secret_input import read_secret
from exai_trio.errors import ArgumentError

T = TypeVar("T")
_TRIES: Final = 3
ALL: Final = "all"
_NONE: Final = "none"


class Declined(Exception):
    """The user wants nothing to be done."""


@structs.frozen(kw_only=True)
class Dialogue:
    """`line` reads what is typed, "" at its end; `secret` reads what is not shown."""

    console: Console
    line: Callable[[], str] = sys.stdin.readline
    secret: Callable[[str], str] = read_secret

    def choose(self, ways: Sequence[Choice]) -> Choice:
        """The way to get answers, with its key. Raises Declined, ArgumentError."""
        self.console.tell("Who shall answer?")
        for number, way in enumerate(ways, 1):
            self.console.tell(f"  {number}  {way.text}")
        numbers = {str(number): way for number, way in enumerate(ways, 1)}
        chosen = self._ask("number", "1", numbers.get, f"a number from 1 to {len(ways)}")
        return self.with_key(chosen) if chosen.ask_for else chosen

    def with_key(self, chosen: Choice) -> Choice:
        """Raises ArgumentError for what cannot be a key."""
        key = self.secret(chosen.ask_for)
        if fault := fault_of(chosen.ask_for, key):
            raise ArgumentError(fault)
        return choices.typed(chosen, key)

    def editors(self, found: Found) -> tuple[str, ...]:
        """Raises Declined."""
        if not found.editors:
            return ()
        there = ", ".join(found.editors)
        self.console.tell(
            f"Which editors shall know EXAI? All that are here ({there}), some, or none?"
        )
        read = partial(named, there=found.editors)
        return self._ask("editors", ALL, read, f"names with commas of {', '.join(COMMANDS)}")

    def agreed(self) -> None:
        """Raises Declined."""
        if not self._ask("Do it?", "yes", _YES.get, "yes or no"):
            raise Declined

    def _ask(self, what: str, usual: str, read: Callable[[str], T | None], allowed: str) -> T:
        """What was answered, Enter being the usual. Raises Declined at the end of input, and after too many that say nothing."""
        for _ in range(_TRIES):
            self.console.say(f"{what} [{usual}]: ", end="")
            typed = self.line()
            if not typed:
                break
            answer = read(typed.strip().lower() or usual)
            if answer is not None:
                return answer
            self.console.tell(f"  {allowed}, or Enter for {usual}")
        raise Declined


_YES: Final = {"yes": True, "y": True, "no": False, "n": False}


def named(text: str, there: Sequence[str]) -> tuple[str, ...] | None:
    """The editors of a list with commas; None if one of them is not known."""
    if text in {ALL, _NONE}:
        return tuple(there) if text == ALL else ()
    names = tuple(dict.fromkeys(text.replace(",", " ").split()))
    return names if names and set(names) <= set(COMMANDS) else None
