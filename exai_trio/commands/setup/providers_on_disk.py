"""The user's providers on disk: EXAI_PROVIDERS_FILE, made beside their own settings where none is named."""

from functools import partial
from pathlib import Path
from typing import Final

from exai_trio.commands.setup.own_settings import edit_private, write_setting
from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.providers.local_servers.detect import named
from exai_trio.providers.local_servers.look import Server
from exai_trio.providers.providers_file import BUILT_IN, VARIABLE
from exai_trio.providers.providers_text import Entry, entries_of, with_provider, without_provider

_FILE: Final = "providers.toml"


def providers_path(config: Config, own_file: Path | None) -> Path:
    """The file that is named, else the one that would be. Raises ArgumentError where there is no home for one."""
    if config.providers_file is not None:
        return config.providers_file
    if own_file is None:
        raise ArgumentError(
            "there is no home directory; set HOME, or name a file in EXAI_PROVIDERS_FILE"
        )
    return own_file.with_name(_FILE)


def add_server(server: Server, config: Config, own_file: Path | None, name: str = "") -> str:
    """Let EXAI ask that server; the provider's name, which is the old one if the server is there already.

    Raises ArgumentError, and OSError if a file cannot be written.
    """
    entries = _entries(providers_path(config, own_file))
    known = next((each for each in entries if each.get("base_url") == server.base_url), None)
    if known is not None:
        add_to_settings(config, own_file)
        return str(known["name"])
    taken = {str(each.get("name")) for each in entries} | BUILT_IN
    entry = Entry(name=name or named(server, taken), base_url=server.base_url)
    add_provider(entry, config, own_file)
    return entry.name


def add_provider(entry: Entry, config: Config, own_file: Path | None) -> Path:
    """Write the provider into the file, and the file's name into the user's own settings if nobody has named it; the file.

    Raises ArgumentError for what the file cannot hold, OSError if one cannot be written; then nothing is changed.
    """
    path = providers_path(config, own_file)
    edit_private(path, partial(with_provider, entry=entry))
    add_to_settings(config, own_file)
    return path


def add_to_settings(config: Config, own_file: Path | None) -> None:
    if config.providers_file is None and own_file is not None:
        write_setting(own_file, VARIABLE, str(providers_path(config, own_file)))


def remove_provider(name: str, config: Config, own_file: Path | None) -> Path:
    """Take the provider out of the file; the file. Raises NotFoundError, ArgumentError, OSError; then nothing is changed."""
    path = providers_path(config, own_file)
    edit_private(path, partial(without_provider, name=name))
    return path


def names_on_disk(config: Config, own_file: Path | None) -> tuple[str, ...]:
    """The providers of the file. Raises ArgumentError, OSError."""
    return tuple(str(each.get("name")) for each in _entries(providers_path(config, own_file)))


def _entries(path: Path) -> tuple[dict[str, object], ...]:
    return entries_of(path.read_text(encoding="utf-8")) if path.exists() else ()
