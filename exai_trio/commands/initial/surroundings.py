"""Looks for what `exai init` can use: settings, keys of the shell, model servers of this machine, editors."""

from exai_trio.commands.editors.editor_files import CannotChange
from exai_trio.commands.editors.editors_command import editors_there
from exai_trio.commands.initial.choices import Found
from exai_trio.commands.initial.key_advice import GLM, KIMI, URLS
from exai_trio.commands.invocation import Started
from exai_trio.commands.setup.providers_on_disk import names_on_disk
from exai_trio.config import Config
from exai_trio.providers.local_servers.detect import detect
from exai_trio.settings.load import ARGUMENTS, ENVIRON, Loaded


async def surroundings(started: Started) -> Found:
    """Raises ArgumentError or OSError for a file of providers that cannot be read. Cancelling closes every connection."""
    loaded = started.loaded
    config = loaded.config
    servers = [each for each in await detect(started.environ) if each.server.models]
    open_to_all = [each for each in servers if not each.server.wants_key]
    keys = _keys(loaded)
    return Found(
        configured=(*_kept(loaded), *names_on_disk(config, started.own_file)),
        keys=keys,
        beside=tuple(_beside(loaded, keys)),
        servers=tuple(each.server for each in open_to_all if each.ours),
        strangers=tuple(each.server for each in open_to_all if not each.ours),
        editors=_editors(started),
        simulated=config.simulate,
    )


def _editors(started: Started) -> tuple[str, ...]:
    try:
        return editors_there(started.environ)
    except CannotChange:
        # audit: empty-handler, because without a home there are no editors
        return ()


def _kept(loaded: Loaded) -> tuple[str, ...]:
    """The keys that stand in a file already."""
    return tuple(
        name for name in (GLM, KIMI) if _value(loaded.config, name) and not _of_shell(loaded, name)
    )


def _keys(loaded: Loaded) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, _value(loaded.config, name))
        for name in (GLM, KIMI)
        if _value(loaded.config, name) and _of_shell(loaded, name)
    )


def _beside(loaded: Loaded, keys: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The addresses that belong to those keys."""
    names = [URLS[name] for name, _ in keys]
    return [(name, _value(loaded.config, name)) for name in names if _of_shell(loaded, name)]


def _of_shell(loaded: Loaded, name: str) -> bool:
    return loaded.origins[name.lower()].partition(",")[0] in {ARGUMENTS, ENVIRON}


def _value(config: Config, name: str) -> str:
    value: str = getattr(config, name.lower()) or ""
    return value
