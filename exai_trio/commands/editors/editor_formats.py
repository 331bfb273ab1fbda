"""What each editor's own configuration of a server looks like. Pure: values and text out; what the server is, `shim_server` says.

An editor that lets its own limit for a call be set gets it set, and the shim is told the same: so that neither an editor cuts a
call that the shim still waits for, nor the shim gives a handle long before.
"""

import json
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, cast

import attrs

from exai_trio import structs

NAME: Final = "exai"  # what the server is called in every editor
_LONG_S: Final = 1800.0  # two runs of a call whose model speaks as long as it may, and more
TOLD: Final = "EXAI_CLIENT_TIMEOUT_S"


@structs.frozen(kw_only=True)
class Server:
    """How the shim is started."""

    command: str
    args: list[str]
    env: Mapping[str, str]


@structs.frozen(kw_only=True)
class Editor:
    """`entry` gives the editor's own value for a server, and for the seconds that the editor is to wait. It belongs below `table` of
    a file in TOML, or else JSON, that begins with `head` where there was none. `most_s` is the longest that it can be told to wait;
    None if it cannot be told. `bare` says that the editor's own command takes the entry alone."""

    title: str
    table: str
    entry: Callable[[Server, float], dict[str, Any]]
    most_s: float | None = None
    toml: bool = False
    bare: bool = False
    head: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def waits_s(self, chosen_s: float) -> float | None:
        """Seconds that this editor is told to wait; `chosen_s` is what the user wants, 0 for nothing."""
        if self.most_s is None:
            return None
        return min(chosen_s or _LONG_S, self.most_s)

    @property
    def path(self) -> tuple[str, str]:
        return (self.table, NAME)


def _plain(server: Server) -> dict[str, Any]:
    return {"command": server.command, "args": server.args, "env": dict(server.env)}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _claude(server: Server, waits_s: float) -> dict[str, Any]:
    return {"type": "stdio", **_plain(server), "timeout": _ms(waits_s)}


def _gemini(server: Server, waits_s: float) -> dict[str, Any]:
    return {**_plain(server), "timeout": _ms(waits_s)}


def _opencode(server: Server, waits_s: float) -> dict[str, Any]:
    return {
        "type": "local",
        "command": [server.command, *server.args],
        "environment": dict(server.env),
        "timeout": _ms(waits_s),
    }


def _codex(server: Server, waits_s: float) -> dict[str, Any]:
    limit = int(waits_s) if waits_s == int(waits_s) else waits_s
    return {
        "command": server.command,
        "args": server.args,
        "tool_timeout_sec": limit,
        "env": dict(server.env),
    }


def _vscode(server: Server, _waits_s: float) -> dict[str, Any]:
    return {"type": "stdio", **_plain(server)}


def _others(server: Server, _waits_s: float) -> dict[str, Any]:
    return _plain(server)


# Limits, 2026-11: Claude Code and Gemini CLI take any (milliseconds), Codex too (seconds); opencode stops at 5 minutes
# (anomalyco/opencode#39584); the others cannot be told.
_DAY_S: Final = 86_400.0
SHAPES: Final[Mapping[str, Editor]] = {
    "claude": Editor(
        title="Claude Code", table="mcpServers", entry=_claude, most_s=_DAY_S, bare=True
    ),
    "codex": Editor(title="Codex", table="mcp_servers", entry=_codex, most_s=_DAY_S, toml=True),
    "gemini": Editor(title="Gemini CLI", table="mcpServers", entry=_gemini, most_s=_DAY_S),
    "opencode": Editor(
        title="opencode",
        table="mcp",
        entry=_opencode,
        most_s=300.0,
        head={"$schema": "https://opencode.ai/config.json"},
    ),
    "cursor": Editor(title="Cursor", table="mcpServers", entry=_others),
    "vscode": Editor(title="VS Code", table="servers", entry=_vscode),
    "augment": Editor(title="Augment", table="mcpServers", entry=_others),
}


def entry(editor: str, server: Server, chosen_s: float) -> dict[str, Any]:
    """The editor's value for the server. A limit that the editor keeps stands in the shim's environment as well."""
    shape = SHAPES[editor]
    waits_s = shape.waits_s(chosen_s)
    if waits_s is None:
        return shape.entry(server, chosen_s)
    env = {**server.env, TOLD: f"{waits_s:g}"}
    return shape.entry(Server(command=server.command, args=server.args, env=env), waits_s)


def language(shape: Editor) -> ModuleType:
    """The module that reads and changes the editor's file: both have the same functions."""
    if shape.toml:
        from exai_trio.commands.editors import toml_text  # its library is loaded where it is used

        return toml_text
    from exai_trio.commands.editors import jsonc_text  # as above

    return jsonc_text


def configuration(editor: str, value: Mapping[str, Any]) -> str:
    """The text to be pasted, or handed to the editor's own command."""
    shape = SHAPES[editor]
    if shape.bare:
        return json.dumps(value, ensure_ascii=False, indent=2)
    text: str = language(shape).with_value("", shape.path, value, shape.head)
    return text.rstrip("\n")


def is_ours(value: object) -> bool:
    """Whether this entry starts our shim."""
    entry = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    words = [*_words(entry.get("command")), *_words(entry.get("args"))]
    named = [word.rpartition("/")[2] for word in words]
    return "shim" in named and bool({"exai", "exai_trio"} & set(named))


def _words(value: object) -> list[str]:
    return (
        [str(word) for word in cast("list[object]", value)]
        if isinstance(value, list)
        else [str(value)]
    )
