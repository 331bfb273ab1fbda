"""What could stand at a place of the command line: tools, their arguments, models, conversations.

Read from files: no daemon is asked, since whoever presses TAB waits.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import exai_trio
from exai_trio.commands.calling.shell_paths import PATHS

_PACKAGE: Final = Path(exai_trio.__file__).parent
_SHIPPED: Final = _PACKAGE / "tools" / "shipped.json"
_MODELS: Final = _PACKAGE / "providers" / "models.toml"
_BOOLEANS: Final = ("true", "false")


def _tools() -> dict[str, Mapping[str, Any]]:
    """All tools by name, each with its schema."""
    listed = json.loads(_SHIPPED.read_bytes())["full"]
    return {tool["name"]: tool["inputSchema"] for tool in listed}


def tools() -> list[str]:
    return list(_tools())


def schema(tool: str) -> Mapping[str, Any]:
    """Of a tool's arguments; an empty one for a tool that the package does not have."""
    return _tools().get(tool, {})


def models(providers_file: Path | None) -> list[str]:
    """Those that the package knows, and those of the user's own file."""
    texts = [_MODELS] if providers_file is None else [_MODELS, providers_file]
    found = ["auto"]
    for path in texts:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # audit: silent-loop, because TAB says nothing of files that cannot be read
            continue
        found += [str(one.get("name", "")) for one in _model_tables(data)]
    return found


def _model_tables(data: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Ours stand at the top of a file, a provider's below it."""
    yield from data.get("model", ())
    for provider in data.get("provider", ()):
        yield from provider.get("model", ())


def arguments(
    tool: str, prefix: str, given: Iterable[str], known_models: Iterable[str]
) -> list[str]:
    """KEY= for the arguments that are not given yet, or KEY=VALUE once the key stands there."""
    properties: Mapping[str, Any] = schema(tool).get("properties", {})
    key, equals, _ = prefix.partition("=")
    if equals:
        return [f"{key}={value}" for value in _values(key, properties.get(key, {}), known_models)]
    taken = {word.partition("=")[0] for word in given}
    return [f"{name}=" for name in properties if name not in taken or name in PATHS]


def _values(key: str, its: Mapping[str, Any], known_models: Iterable[str]) -> Iterable[str]:
    if key == "model":
        return known_models
    if its.get("type") == "boolean":
        return _BOOLEANS
    return [str(value) for value in its.get("enum", ())]


def paths(prefix: str) -> list[str]:
    """Files and directories below the working directory, or wherever the prefix begins."""
    folder, slash, start = prefix.rpartition("/")
    place = Path(folder + slash).expanduser() if slash else Path()
    try:
        entries = sorted(place.iterdir())
    except (OSError, RuntimeError):
        # audit: empty-handler, because TAB says nothing of folders that cannot be read
        return []
    return [
        f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in entries
        if entry.name.startswith(start)
    ]
