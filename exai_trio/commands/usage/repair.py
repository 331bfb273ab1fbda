"""What was meant by a command line that cannot be understood: the nearest one that can be. Pure."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from exai_trio.commands.usage.parser import UNKNOWN, HelpWanted, Parser, UsageFault, VersionWanted

_MOST_MISTAKES: Final = 6
_NEAR: Final = 0.5
_CHOICE: Final = re.compile(r"argument (\S+): invalid choice: (.+) \(choose from (.*)\)", re.DOTALL)
_ARGUMENT: Final = re.compile(r"argument ([^:]+): (.*)", re.DOTALL)
_MISSING: Final = "the following arguments are required: "
_SURPLUS_VALUE: Final = "ignored explicit argument"
# What people type for what we call otherwise.
SYNONYMS: Final[Mapping[str, str]] = {
    "chat": "ask",
    "check": "doctor",
    "daemon": "serve",
    "kill": "stop",
    "list": "tools",
    "log": "logs",
    "query": "ask",
    "quit": "stop",
    "run": "serve",
    "server": "serve",
    "settings": "config",
    "start": "serve",
    "version": "--version",
}
# A value that is right, by the name of the option.
_SAMPLES: Final[Mapping[str, str]] = {
    "--file": "README.md",
    "--health-port": "8082",
    "--home": "exai-home",
    "--lines": "30",
    "--log-level": "INFO",
    "--model": "auto",
    "--monitoring-port": "8080",
    "--output": "answer.md",
    "--request-log": "requests.jsonl",
    "--thread": "ID",
    "--timeout": "60",
}

# Without these, the settings say where the daemon is.
_LEFT_OUT: Final = frozenset({"--host", "--port"})

Build = Callable[[str], Parser]


def said(fault: UsageFault) -> str:
    """The fault in words that name no part of argparse."""
    text = str(fault)
    if found := _CHOICE.match(text):
        if found[1] in {"COMMAND", "ACTION"}:
            return f"there is no command {found[2]}"
        choices = found[3].replace("'", "")
        return f"{found[1]} cannot be {found[2]}: it is one of {choices}"
    if text.startswith(_MISSING):
        return f"{fault.parser.prog}: {text.removeprefix(_MISSING)} is missing"
    if text.startswith(UNKNOWN):
        return f"{fault.parser.prog} does not take {text.removeprefix(UNKNOWN)}"
    return text.removeprefix("argument ")


def repaired(words: Sequence[str], build: Build) -> str:
    """The command line that is right, as one would type it; "exai --help" where nothing is near."""
    tried = list(words)
    for _ in range(_MOST_MISTAKES):
        try:
            build(tried[0] if tried else "").parse_args(tried)
        except (HelpWanted, VersionWanted):
            return _line(tried)
        except UsageFault as fault:
            if (better := _better(tried, fault)) is None:
                return _example(fault)
            tried = better
        else:
            return _line(tried)
    return "exai --help"


def with_sample(words: Sequence[str], options: Sequence[str], build: Build) -> str:
    """The command line with a value that is right for the one of these options that it has."""
    better = _given(list(words), list(options), "")
    return repaired(better or words, build)


def _line(words: Sequence[str]) -> str:
    return shlex.join(["exai", *words])


def _example(fault: UsageFault) -> str:
    return fault.parser.examples[0] if fault.parser.examples else f"{fault.parser.prog} --help"


def _better(words: list[str], fault: UsageFault) -> list[str] | None:
    """The words with one mistake less, or None where the command's example is the best that can be said."""
    text = str(fault)
    if found := _CHOICE.match(text):
        return _chosen(words, found[1], found[3])
    if text.startswith(UNKNOWN):
        return _without_unknown(words, fault.parser, text.removeprefix(UNKNOWN))
    if found := _ARGUMENT.match(text):
        return _given(words, found[1].split("/"), found[2])
    return None


def _chosen(words: list[str], name: str, choices: str) -> list[str] | None:
    """The nearest of the choices in the place of the word that is none."""
    known = re.findall(r"[\w-]+", choices)
    wrong = [
        at for at, word in enumerate(words) if _stands_for(words, at, name) and word not in known
    ]
    if not wrong:
        return None
    at = wrong[0]
    word = words[at].partition("=")[2] if words[at].startswith("--") else words[at]
    near = get_close_matches(word.lower(), known, n=1, cutoff=_NEAR)
    if name == "COMMAND":
        return _command(words, at, near)
    better = near[0] if near else known[0]
    option = words[at].partition("=")[0]
    return [
        *words[:at],
        *([option, better] if words[at].startswith("--") else [better]),
        *words[at + 1 :],
    ]


def _stands_for(words: list[str], at: int, name: str) -> bool:
    if name == "COMMAND":
        return at == 0
    if name == "ACTION":
        return at > 0 and not words[at].startswith("-")
    options = name.split("/")

    is_joined = "=" in words[at] and words[at].partition("=")[0] in options
    return is_joined or (at > 0 and words[at - 1] in options)


def _command(words: list[str], at: int, near: list[str]) -> list[str] | None:
    word = words[at]
    if word.lower() in SYNONYMS:
        return [SYNONYMS[word.lower()], *words[at + 1 :]]
    if " " in word.strip():
        return ["ask", *words]
    return [near[0], *words[at + 1 :]] if near else ["--help"]


def _without_unknown(words: list[str], parser: Parser, unknown: str) -> list[str] | None:
    """The nearest option in the place of one that is none; other words that are too many go."""
    wrong = [at for at, word in enumerate(words) if word and word in unknown.split(" ")]
    if not wrong:
        wrong = [at for at, word in enumerate(words) if word and word in unknown]
    if not wrong:
        return None
    at = next((each for each in wrong if words[each].startswith("-")), wrong[-1])
    if not words[at].startswith("-"):
        return [*words[:at], *words[at + 1 :]]
    name, equals, value = words[at].partition("=")
    near = get_close_matches(f"--{name.lstrip('-')}", parser.options, n=1, cutoff=_NEAR)
    if not near:
        return [*words[:at], *words[at + 1 :]]
    return [*words[:at], near[0] + equals + value, *words[at + 1 :]]


def _given(words: list[str], options: list[str], why: str) -> list[str] | None:
    """A value that is right for an option, or the option left out where it does not go with another, or takes none."""
    at = next((at for at, word in enumerate(words) if word.partition("=")[0] in options), None)
    if at is None:
        return None
    name = words[at].partition("=")[0]
    if why.startswith("not allowed with"):
        return [*words[:at], *words[at + 1 :]]
    if why.startswith(_SURPLUS_VALUE):
        return [*words[:at], name, *words[at + 1 :]]
    has_value = not why.startswith("expected") and "=" not in words[at]
    if name in _LEFT_OUT:
        return [*words[:at], *words[at + 1 + has_value :]]
    sample = next((_SAMPLES[option] for option in options if option in _SAMPLES), None)
    if sample is None:
        return None
    return [*words[:at], name, sample, *words[at + 1 + has_value :]]
