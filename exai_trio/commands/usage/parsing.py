"""argparse with options that may stand anywhere, and mistakes that are raised instead of printed. Pure.

What is right instead of a mistake is said by `repair`; help on a terminal is drawn by `help_text`.
"""

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn, TypeVar, cast

UNKNOWN: Final = "unrecognized arguments: "
_OPTIONAL_VALUE: Final = "?"
_OF_THE_INNERMOST: Final = frozenset({"-h", "--help", "--version"})
_END: Final = "--"  # of the options

T = TypeVar("T", bound=Action)


class UsageFault(Exception):
    """What was typed cannot be understood. `parser` is that of the innermost command that was recognized."""

    def __init__(self, text: str, parser: "Parser") -> None:
        super().__init__(text)
        self.parser = parser


class HelpWanted(Exception):
    """Somebody asks what `parser` takes."""

    def __init__(self, parser: "Parser") -> None:
        super().__init__(parser.prog)
        self.parser = parser


class VersionWanted(Exception):
    """Somebody asks which version this is."""


class VersionAction(Action):
    """An option that asks for it."""

    def __init__(self, option_strings: Sequence[str], dest: str, **named: Any) -> None:  # noqa: ANN401  # argparse's
        super().__init__(option_strings, dest, nargs=0, **named)

    def __call__(self, *_given: object, **_named: object) -> NoReturn:
        raise VersionWanted


class Parser(ArgumentParser):
    """A command's parser. `options` are its own option strings, and what each does with the next word."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401  # argparse's own
        self.options: dict[str, Action] = {}
        self.examples: tuple[str, ...] = ()
        super().__init__(*given, **{**named, "allow_abbrev": False})

    @property
    def has_actions(self) -> bool:
        """Whether commands of its own stand below it."""
        return self._subparsers is not None

    @property
    def below(self) -> dict[str, "Parser"]:
        """The commands below it."""
        for action in self.positionals:
            choices: object = action.choices
            if isinstance(choices, dict):
                return cast("dict[str, Parser]", choices)
        return {}

    @property
    def positionals(self) -> list[Action]:
        return self._get_positional_actions()

    @property
    def shown_options(self) -> list[Action]:
        return [one for one in self._get_optional_actions() if one.help is not SUPPRESS]

    def parse_known_args(  # type: ignore[override]  # argparse's has overloads
        self,
        args: Iterable[str] | None = None,
        namespace: Any = None,  # noqa: ANN401  # argparse's
    ) -> tuple[Namespace, list[str]]:
        words = options_first(list(args or ()), self)
        found, surplus = super().parse_known_args(words, namespace)
        if surplus:  # said here, where it is known which command does not take it
            self.error(f"{UNKNOWN}{' '.join(surplus)}")
        return found, []

    def print_help(self, file: object = None) -> NoReturn:
        raise HelpWanted(self)

    def error(self, message: str) -> NoReturn:
        raise UsageFault(message, self)

    def _add_action(self, action: T) -> T:
        for name in action.option_strings:
            self.options[name] = action
        return super()._add_action(action)


def options_first(words: Sequence[str], parser: Parser) -> list[str]:
    """The words with the parser's own options, and their values, before all others; what follows `--` stays where it is."""
    options: list[str] = []
    others: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == _END:
            others += [word, *left]
            break
        if not _is_option(word, parser):
            others.append(word)
            continue
        if not left and _takes_value(word, parser):
            return [*options, *others, word]
        options.append(word)
        options += _values(word, left, parser)
    return [*options, *others]


def _is_option(word: str, parser: Parser) -> bool:
    name = word.partition("=")[0]
    if parser.has_actions:
        return name in parser.options and name not in _OF_THE_INNERMOST
    return name in parser.options or (word.startswith("-") and word != "-")


def _takes_value(word: str, parser: Parser) -> bool:
    action = parser.options.get(word)
    return action is not None and action.nargs is None


def _values(word: str, left: list[str], parser: Parser) -> list[str]:
    """The word after an option, taken away, if it is the option's value."""
    action = parser.options.get(word)
    if action is None or action.nargs == 0 or not left:
        return []
    if action.nargs == _OPTIONAL_VALUE and left[0].startswith("-"):
        return []
    return [left.pop(0)] if left[0] != _END else []


def command_first(words: Sequence[str], names: Iterable[str]) -> list[str]:
    """The words with the command before the options that stand before it."""
    known = frozenset(names)
    if not words or not words[0].startswith("-"):
        return list(words)
    place = next((at for at, word in enumerate(words) if word in known), 0)
    return [*words[place : place + 1], *words[:place], *words[place + 1 :]]
