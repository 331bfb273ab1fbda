"""Answers a shell that asks what could stand where TAB was pressed. argcomplete speaks with the shells."""

from argparse import Action, Namespace
from collections.abc import Callable, Iterator
from typing import Any, cast

import argcomplete

from exai_trio import structs
from exai_trio.commands.calling import shell_paths
from exai_trio.commands.completion import candidates
from exai_trio.commands.usage.parsing import Parser
from exai_trio.config import Config

Settings = Callable[[], Config]


def complete(parser: Parser, settings: Settings) -> None:
    """Answer, and end the process."""
    attach(parser, settings)
    argcomplete.autocomplete(parser, always_complete_options="long", append_space=False)


def attach(parser: Parser, settings: Settings) -> None:
    """Let each option and word that has candidates know them."""
    found = _Completers(settings)
    by_name: dict[str, Callable[..., list[str]]] = {
        "tool": found.tools,
        "model": found.models,
        "thread": found.threads,
        "files": found.paths,
        "output": found.paths,
        "home": found.paths,
    }
    for command, action in _actions(parser):
        is_argument = (command, action.dest) == ("call", "words")
        completer = found.arguments if is_argument else by_name.get(action.dest)
        if completer is not None:
            action.completer = completer  # type: ignore[attr-defined]  # argcomplete's way


def _actions(parser: Parser, command: str = "") -> Iterator[tuple[str, Action]]:
    for name, below in parser.below.items():
        yield from _actions(below, command or name)
    for action in (*parser.shown_options, *parser.positionals):
        yield command, action


@structs.frozen
class _Completers:
    _settings: Settings

    def tools(self, **_: Any) -> list[str]:  # noqa: ANN401  # argcomplete's
        return candidates.tools()

    def models(self, **_: Any) -> list[str]:  # noqa: ANN401  # as above
        return candidates.models(self._settings().providers_file)

    def threads(self, **_: Any) -> list[str]:  # noqa: ANN401  # as above
        from exai_trio.storage.sqlite import thread_ids  # noqa: PLC0415  # only for these
        from exai_trio.system.clock import unix_now  # noqa: PLC0415  # as above

        return thread_ids.newest(self._settings().state / "exai.db", unix_now())

    def paths(self, prefix: str, **_: Any) -> list[str]:  # noqa: ANN401  # as above
        return candidates.paths(prefix)

    def arguments(self, prefix: str, parsed_args: Namespace, **_: Any) -> list[str]:  # noqa: ANN401  # as above
        key, equals, text = prefix.partition("=")
        if equals and key in shell_paths.PATHS:
            return [f"{key}={path}" for path in candidates.paths(text)]
        given = cast("list[str]", getattr(parsed_args, "words", None) or [])
        return candidates.arguments(parsed_args.tool, prefix, given, self.models())
