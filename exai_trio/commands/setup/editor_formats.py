"""What each editor's own configuration of a server looks like. Pure: text out; what the server is, `settings` says.

An editor that lets its own limit for a call be set gets it set, and the shim is told the same: so that neither an editor cuts a
call that the shim still waits for, nor the shim gives a handle long before.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from exai_trio import structs

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
    """`write` gives the text for a server, and the seconds that the editor is to wait. `most_s` is the longest that it can be told to wait;
    None if it cannot be told."""

    write: Callable[[Server, float], str]
    most_s: float | None = None

    def waits_s(self, chosen_s: float) -> float | None:
        """Seconds that this editor is told to wait; `chosen_s` is what the user wants, 0 for nothing."""
        if self.most_s is None:
            return None
        return min(chosen_s or _LONG_S, self.most_s)


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _plain(server: Server) -> dict[str, Any]:
    return {"command": server.command, "args": server.args, "env": dict(server.env)}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _claude(server: Server, waits_s: float) -> str:
    limit = {"timeout": _ms(waits_s)}
    return _as_json({"mcpServers": {"exai": {"type": "stdio", **_plain(server), **limit}}})


def _gemini(server: Server, waits_s: float) -> str:
    return _as_json({"mcpServers": {"exai": {**_plain(server), "timeout": _ms(waits_s)}}})


def _opencode(server: Server, waits_s: float) -> str:
    entry = {
        "type": "local",
        "command": [server.command, *server.args],
        "environment": dict(server.env),
        "timeout": _ms(waits_s),
    }
    # audit: url, because it is that editor's own schema
    return _as_json({"$schema": "https://opencode.ai/config.json", "mcp": {"exai": entry}})


def _codex(server: Server, waits_s: float) -> str:
    """TOML, whose strings are JSON's as far as paths and settings go."""
    env = "\n".join(f"{name} = {_toml(value)}" for name, value in server.env.items())
    args = ", ".join(_toml(word) for word in server.args)
    return (
        f"[mcp_servers.exai]\ncommand = {_toml(server.command)}\nargs = [{args}]\n"
        f"tool_timeout_sec = {waits_s:g}\n\n[mcp_servers.exai.env]\n{env}"
    )


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _vscode(server: Server, _waits_s: float) -> str:
    return _as_json({"servers": {"exai": {"type": "stdio", **_plain(server)}}})


def _others(server: Server, _waits_s: float) -> str:
    return _as_json({"mcpServers": {"exai": _plain(server)}})


# Limits, 2026-11: Claude Code and Gemini CLI take any (milliseconds), Codex too (seconds); opencode stops at 5 minutes
# (anomalyco/opencode#39584); the others cannot be told.
_DAY_S: Final = 86_400.0
SHAPES: Final[Mapping[str, Editor]] = {
    "claude": Editor(write=_claude, most_s=_DAY_S),
    "codex": Editor(write=_codex, most_s=_DAY_S),
    "gemini": Editor(write=_gemini, most_s=_DAY_S),
    "opencode": Editor(write=_opencode, most_s=300.0),
    "cursor": Editor(write=_others),
    "vscode": Editor(write=_vscode),
    "augment": Editor(write=_others),
}


def configuration(editor: str, server: Server, chosen_s: float) -> str:
    """The text to paste. A limit that the editor keeps stands in the shim's environment as well."""
    shape = SHAPES[editor]
    waits_s = shape.waits_s(chosen_s)
    if waits_s is None:
        return shape.write(server, chosen_s)
    told = Server(
        command=server.command, args=server.args, env={**server.env, TOLD: f"{waits_s:g}"}
    )
    return shape.write(told, waits_s)
