"""How an editor reaches EXAI over HTTP: a URL, and a header that takes the token from the editor's environment."""

from collections.abc import Mapping
from typing import Any, Final

from exai_trio.commands.editors import editor_formats
from exai_trio.config import Config, bracketed

VARIABLE: Final = "EXAI_WS_TOKEN"
_PATH: Final = "/mcp"


def url_of(config: Config) -> str | None:
    """Where clients find it; None while it is off."""
    if config.public_url:
        return config.public_url + _PATH
    if not config.mcp_port:
        return None
    return f"http://{bracketed(config.client_host)}:{config.mcp_port}{_PATH}"


def needs_token(config: Config) -> bool:
    """Whether a client must show something; on this machine its own user need not, unless a token is set."""
    return not (config.loopback_only and config.makes_token) and not config.admits_anyone


def http_configuration(editor: str, url: str, *, with_token: bool) -> str:
    """The text to be pasted. It holds no secret: the editor puts the variable's value in."""
    entry = {**_HEADS.get(editor, {}), _URLS.get(editor, "url"): url}
    if with_token:
        entry |= _shown_by(editor)
    return editor_formats.configuration(editor, entry)


def _shown_by(editor: str) -> dict[str, Any]:
    """What has the editor show the token."""
    if editor == "codex":
        return {"bearer_token_env_var": VARIABLE}
    return {"headers": {"Authorization": f"Bearer {_VARIABLES[editor]}"}}


_HEADS: Final[Mapping[str, Mapping[str, str]]] = {
    "claude": {"type": "http"},
    "opencode": {"type": "remote"},
    "vscode": {"type": "http"},
}
_URLS: Final = {"gemini": "httpUrl"}
# How each writes a variable of its environment.
_VARIABLES: Final = {
    "claude": f"${{{VARIABLE}}}",
    "gemini": f"${{{VARIABLE}}}",
    "opencode": f"{{env:{VARIABLE}}}",
    "cursor": f"${{env:{VARIABLE}}}",
    "vscode": f"${{env:{VARIABLE}}}",
    "augment": f"${{{VARIABLE}}}",
}
