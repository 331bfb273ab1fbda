"""From texts to one Config, with every fault named. Pure: the command line hands in arguments, environment and ENV_FILE.

The first of these that has a setting gives it: command line, environment, ENV_FILE, the user's own settings file, preset of
ENVIRONMENT, default. An empty text means "the default", so that an empty variable can undo a line of ENV_FILE.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings import dotenv, urls
from exai_trio.settings.rules import (
    Sources,
    contradictions,
    oddities,
    rivals,
    unknown,
    with_defaults_within,
)
from exai_trio.settings.setting import Setting
from exai_trio.settings.table import PRESETS, SETTINGS, SHARED
from exai_trio.settings.trust import FOUND, is_found, keys, misdirected
from exai_trio.settings.values import Place

ARGUMENTS, ENVIRON, FILE, DEFAULT = "command line", "environment", "ENV_FILE", "default"
OWN = "own settings file"
FILES = (FILE, FOUND)
_OURS = {name: each.field for each in SETTINGS for name in (each.name, *each.aliases)}
_JWT, _SUPABASE = "jwt_", "supabase_"
_SHOWN = 80  # characters of a faulty value that are repeated


@structs.frozen(kw_only=True)
class Fault:
    """A value that stops what uses it. `value` is fit to be shown, `field` is the setting's in Config."""

    variable: str
    value: str
    allowed: str
    origin: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.variable}={self.value} ({self.origin}): allowed is {self.allowed}"


@structs.frozen(kw_only=True)
class Loaded:
    """`origins` says for each field where its value came from. With faults, the fields at fault hold their defaults.

    `foreign` are the warnings, by field, about values that seem to be meant for other programs: those count as not set.
    """

    config: Config
    origins: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    general: tuple[str, ...] = ()
    foreign: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.general, *self.foreign.values())


@structs.frozen(kw_only=True)
class Given:
    """A text for a setting: the variable that really held it, and where."""

    variable: str
    text: str
    origin: str


def default_home(environ: Mapping[str, str], platform: str, user_home: str) -> Path:
    """Where the platform (`sys.platform`) wants programs to keep what is neither configuration nor cache."""
    home = Path(user_home)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "exai"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "exai"
    state = Path(environ.get("XDG_STATE_HOME") or "")
    return (state if state.is_absolute() else home / ".local" / "state") / "exai"


def own_file(environ: Mapping[str, str], platform: str, user_home: str) -> Path | None:
    """The user's own settings file, in the platform's configuration directory, whether it is there or not; None without a home."""
    home = Path(user_home)
    if platform == "win32":
        folder = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        configured = Path(environ.get("XDG_CONFIG_HOME") or "")
        folder = configured if configured.is_absolute() else home / ".config"
    return folder / "exai" / "settings.env" if folder.is_absolute() else None


def load(
    arguments: Mapping[str, str],
    environ: Mapping[str, str],
    env_file: str | None = None,
    pathsep: str = ":",
    *,
    platform: str = "linux",
    user_home: str = "/",
    cwd: str = "",
    found: bool = False,
    own: str | None = None,
) -> Loaded:
    """`cwd` is what relative paths on the command line start from; elsewhere they are refused. `arguments` are texts by variable,
    `env_file` is the text of the file, `found` says that nobody named it, `own` is the text of the user's own; see the module for
    their order."""
    file, own_settings = dotenv.parse(env_file or ""), dotenv.parse(own or "")
    sources: Sources = (
        (ARGUMENTS, _anchored(arguments, cwd)),
        (ENVIRON, environ),
        (FOUND if found else FILE, file.values),
        (OWN, own_settings.values),
    )
    given = {each.field: text for each in SETTINGS if (text := _given(each, sources))}
    values, faults = _parsed(given, Place(pathsep=pathsep, user_home=user_home))
    preset = PRESETS[str(values.get("environment", Config().environment))]
    base: dict[str, Any] = {"home": default_home(environ, platform, user_home), **preset}
    config = with_defaults_within(Config(**{**base, **values}), given)
    origins = _origins(given, values, preset, config)
    theirs = (environ, own_settings.values)
    further = keys(theirs, file.values, found=is_found(origins["providers_file"]))
    files = ((file, FILE), (own_settings, OWN))
    unread = (fault for each in files for fault in _unread(*each))
    skipped = (line for each in files for line in _skipped(*each))
    loaded = Loaded(
        config=attrs.evolve(config, provider_keys=further[0], withheld_keys=further[1]),
        origins=origins,
        faults=(*unread, *faults, *_contradictory(config, given, origins)),
        general=(*skipped, *unknown(*theirs, file.values), *rivals(sources), *oddities(config)),
    )
    return _without_foreign(loaded)


def _without_foreign(loaded: Loaded) -> Loaded:
    """The same, with what seems to be meant for other programs as warnings."""
    foreign = {each.field: each for each in loaded.faults if _is_foreign(each, loaded.config)}
    theirs = _theirs(foreign)
    defaults = {field: getattr(Config(), field) for field in theirs}
    return Loaded(
        config=attrs.evolve(loaded.config, **defaults) if defaults else loaded.config,
        origins={**loaded.origins, **dict.fromkeys(theirs, DEFAULT)},
        faults=tuple(each for each in loaded.faults if each.field not in foreign),
        general=loaded.general,
        foreign={field: _left_alone(each) for field, each in foreign.items()},
    )


def _is_foreign(fault: Fault, config: Config) -> bool:
    """Whether another program may mean it. Never what keeps strangers out, nor what was typed for us."""
    if fault.field not in SHARED or fault.origin == ARGUMENTS:
        return False
    if fault.field.startswith(_SUPABASE):
        return not config.is_hosted
    if fault.field == "database_url":
        return not config.is_shared
    guards = fault.field.startswith(_JWT) and (config.wants_no_token or not config.loopback_only)
    return not guards


def _theirs(foreign: Iterable[str]) -> frozenset[str]:
    """What of the settings that can be read goes with those: JWTs are another program's altogether or not at all."""
    jwt = any(field.startswith(_JWT) for field in foreign)
    return frozenset(field for field in SHARED if jwt and field.startswith(_JWT))


def _left_alone(fault: Fault) -> str:
    return (
        f"{fault.variable}={fault.value} ({fault.origin}) seems to be another program's and counts as not set:"
        f" EXAI takes {fault.allowed}"
    )


def sets_ours(env_file: str) -> bool:
    """Whether a file with this text sets anything of EXAI's."""
    return not _OURS.keys().isdisjoint(dotenv.parse(env_file).values)


def _anchored(arguments: Mapping[str, str], cwd: str) -> Mapping[str, str]:
    home = arguments.get("EXAI_HOME", "")
    if not (home and cwd) or home.startswith("~"):
        return arguments
    return {**arguments, "EXAI_HOME": str(Path(cwd) / home)}


def _given(setting: Setting, sources: Sources) -> Given | None:
    for origin, texts in sources:
        named = [name for name in (setting.name, *setting.aliases) if name in texts]
        for variable in named:
            if text := texts[variable].strip():
                return Given(variable=variable, text=text, origin=origin)
        if named:
            return None
    return None


def _parsed(given: Mapping[str, Given], place: Place) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for setting in SETTINGS:
        if (text := given.get(setting.field)) is None:
            continue
        try:
            text.text.encode()  # bytes that were no UTF-8 arrive as lone surrogates
            values[setting.field] = setting.kind.parse(text.text, place)
        except ValueError:
            faults.append(_fault(setting, text, setting.kind.allowed))
    return values, tuple(faults)


def _fault(setting: Setting, given: Given, allowed: str) -> Fault:
    return Fault(
        variable=given.variable,
        value="<not shown>" if setting.secret else shown(_harmless(setting, given.text)),
        allowed=allowed,
        origin=given.origin,
        field=setting.field,
    )


def _harmless(setting: Setting, text: str) -> str:
    is_address = setting.kind.is_address or urls.looks_like_one(text)
    return urls.without_password(text) if is_address else text


def shown(text: str) -> str:
    """The text on one line, cut, and without anything that a terminal would obey."""
    clean = (
        text.encode("unicode_escape", "backslashreplace").decode("ascii")
        if not text.isprintable()
        else text
    )
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"


def _contradictory(
    config: Config, given: Mapping[str, Given], origins: Mapping[str, str]
) -> Iterator[Fault]:
    """Nothing more of a value that is no value: its default is not what was meant."""
    by_field = {setting.field: setting for setting in SETTINGS}
    broken = {field for field in given if origins[field] == DEFAULT}
    for field, allowed in (*contradictions(config), *misdirected(config, origins)):
        if field in broken:
            continue
        text = Given(
            variable=given[field].variable if field in given else by_field[field].name,
            text=given[field].text if field in given else str(getattr(config, field)),
            origin=origins[field],
        )
        yield _fault(by_field[field], text, allowed)


def _origins(
    given: Mapping[str, Given],
    values: Mapping[str, Any],
    preset: Mapping[str, object],
    config: Config,
) -> dict[str, str]:
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        if setting.field in values:
            text = given[setting.field]
            renamed = "" if text.variable == setting.name else f", as {text.variable}"
            origins[setting.field] = text.origin + renamed
        elif setting.field in preset:
            origins[setting.field] = f"ENVIRONMENT={config.environment}"
        else:
            origins[setting.field] = DEFAULT
    return origins


def _unread(file: dotenv.EnvFile, origin: str) -> Iterator[Fault]:
    for line, name in file.bad_lines:
        if name in _OURS:
            yield Fault(
                variable=name,
                value=f"<line {line}>",
                allowed="a value with closed quotes",
                origin=origin,
                field=_OURS[name],
            )


def _skipped(file: dotenv.EnvFile, origin: str) -> Iterator[str]:
    """Lines that set nothing of ours: the file may be another program's too."""
    for line, name in file.bad_lines:
        if name not in _OURS:
            yield f"line {line} of {origin} is not NAME=value and is skipped"
