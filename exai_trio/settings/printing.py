"""Settings as text: the table of `exai config`, and `.env.example`. Pure: no trio, no clock, no I/O."""

from pathlib import Path

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings import dotenv
from exai_trio.settings.load import Loaded
from exai_trio.settings.setting import Setting
from exai_trio.settings.table import GROUPS, SETTINGS

_HEAD = """\
# Settings of exai_trio. Copy this file to .env and uncomment what you change; what is shown is the default.
# The command line goes before the environment, the environment before this file, this file before your own settings file
# (`exai config path` says where that is).
# Written by `exai config --example`; a test holds it to the settings that exist.
"""


@structs.frozen(kw_only=True)
class Row:
    """One setting as it is now; a secret's value is masked."""

    variable: str
    value: str
    origin: str


def rows(loaded: Loaded, pathsep: str = ":") -> tuple[Row, ...]:
    return tuple(
        Row(
            variable=setting.name,
            value=_shown(setting, getattr(loaded.config, setting.field), pathsep),
            origin=loaded.origins[setting.field],
        )
        for setting in SETTINGS
    )


def example() -> str:
    """The whole of `.env.example`, the same on every machine."""
    defaults = Config()
    parts = [_HEAD]
    for group in GROUPS:
        parts.append(f"\n# ---- {group.title} ----\n")
        parts.extend(_entry(setting, defaults) for setting in group.settings)
    return "".join(parts)


def text_of(value: object, pathsep: str = ":") -> str:
    """The value as it would be written in a variable; the empty text for "not set"."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case frozenset():
            return ",".join(sorted(str(part) for part in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case tuple():
            return _joined(value, pathsep)  # pyright: ignore[reportUnknownArgumentType]
        case None:
            return ""
        case _:
            return str(value)


def _joined(parts: tuple[object, ...], pathsep: str) -> str:
    separator = pathsep if any(isinstance(part, Path) for part in parts) else ","
    return separator.join(str(part) for part in parts)


def _shown(setting: Setting, value: object, pathsep: str) -> str:
    if setting.secret:
        return "<set>" if value else ""
    return text_of(value, pathsep)


def _entry(setting: Setting, defaults: Config) -> str:
    if setting.name == "EXAI_HOME":
        default, extra = "", "; default: the platform's directory for state"
    else:
        default, extra = dotenv.quoted(text_of(getattr(defaults, setting.field))), ""
    if setting.aliases:
        extra += f"; {' and '.join(setting.aliases)} {'is' if len(setting.aliases) == 1 else 'are'} read too"
    return f"# {setting.about} ({setting.kind.allowed}{extra})\n# {setting.name}={default}\n"
