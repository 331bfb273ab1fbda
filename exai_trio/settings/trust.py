"""Which secret may go to which address: none to an address that came from a less trusted source than itself. Pure.

There are two kinds of sources. What stands on the command line, in the environment, in the file that ENV_FILE names or in the
user's own settings file is the user's word, and defaults are ours. A `.env` that merely lay in the working directory may be a stranger's: what it says holds
as long as no secret from elsewhere is sent where it points. A file that holds both key and address sends its own key.

The shared token and JWTs are not sent by the daemon, and nobody else reads such a file.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from exai_trio.config import Config
from exai_trio.settings.rules import Finding
from exai_trio.settings.setting import Setting
from exai_trio.settings.table import SETTINGS

FOUND: Final = ".env"  # the origin of what a file says that nobody named
_FIELD_OF: Final = {setting.name: setting.field for setting in SETTINGS}


def is_found(origin: str) -> bool:
    return _base(origin) == FOUND


def misdirected(config: Config, origins: Mapping[str, str]) -> Iterator[Finding]:
    """The addresses to which a secret would go that came from elsewhere."""
    for secret in SETTINGS:
        if not _is_sent(secret, config) or is_found(origins[secret.field]):
            continue
        field = _FIELD_OF[secret.sent_to]
        if is_found(origins[field]) and getattr(config, field) != _default(field):
            yield field, _way_out(secret.name, secret.sent_to, origins[secret.field])


def _is_sent(secret: Setting, config: Config) -> bool:
    if not secret.sent_to or not getattr(config, secret.field):
        return False
    return config.is_hosted if secret.field == "supabase_key" else not config.simulate


def keys(
    known: tuple[Mapping[str, str], Mapping[str, str]], file: Mapping[str, str], *, found: bool
) -> tuple[dict[str, str], frozenset[str]]:
    """The keys for EXAI_PROVIDERS_FILE among these variables, and the names of those that are withheld from it: `found` says that
    a `.env` which nobody named gave that file, so that it gets no key but the `.env`'s own. `known` are the environment, which
    goes before the file, and the user's own settings file, which comes after it."""
    environ, own_settings, own = (_keys_in(texts) for texts in (*known, file))
    if found:
        return own, frozenset((environ.keys() | own_settings.keys()) - own.keys())
    return {**own_settings, **own, **environ}, frozenset()


def _keys_in(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text.strip() for name, text in texts.items() if is_key(name) and text.strip()}


def is_key(name: str) -> bool:
    """Whether a variable of that name may hold the key of a further provider."""
    return name.endswith(("_KEY", "_TOKEN")) and name not in _NAMES


def _default(field: str) -> Any:
    return getattr(Config(), field)


def _base(origin: str) -> str:
    """Without the name by which it was set there."""
    return origin.split(",", 1)[0]


def _way_out(secret: str, address: str, origin: str) -> str:
    return (
        f"an address of your own, since {secret} is from the {_base(origin)} and this file was merely found in the"
        f" working directory: set {address} where {secret} is set; or, if the file is yours, name it in ENV_FILE, or write"
        f" {secret} into it"
    )


_NAMES: Final = frozenset(name for setting in SETTINGS for name in (setting.name, *setting.aliases))
