"""From texts to one Config, with every fault named. Pure: the command line hands in arguments, environment and ENV_FILE.

The first of these that has a setting gives it: command line, environment, ENV_FILE, preset of ENVIRONMENT, default.
An empty text means "the default", so that an empty variable can undo a line of ENV_FILE.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings import dotenv, urls
from exai_trio.settings.rules import contradictions, oddities, with_defaults_within
from exai_trio.settings.table import NOT_YET, PRESETS, SETTINGS, Setting
from exai_trio.settings.trust import FOUND, is_found, keys, misdirected
from exai_trio.settings.values import Place

ARGUMENTS, ENVIRON, FILE, DEFAULT = "command line", "environment", "ENV_FILE", "default"
FILES = (FILE, FOUND)
_OURS = frozenset(name for setting in SETTINGS for name in (setting.name, *setting.aliases))
_SHOWN = 80  # characters of a faulty value that are repeated


@structs.frozen(kw_only=True)
class Fault:
    """A setting that stops the start. `value` is fit to be shown."""

    variable: str
    value: str
    allowed: str
    origin: str

    def __str__(self) -> str:
        return f"{self.variable}={self.value} ({self.origin}): allowed is {self.allowed}"


@structs.frozen(kw_only=True)
class Loaded:
    """`origins` says for each field where its value came from. With faults, the fields at fault hold their defaults."""

    config: Config
    origins: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    warnings: tuple[str, ...] = ()


@structs.frozen(kw_only=True)
class Given:
    """A text for a setting: the variable that really held it, and where."""

    variable: str
    text: str
    origin: str


Sources = tuple[tuple[str, Mapping[str, str]], ...]


def default_home(environ: Mapping[str, str], platform: str, user_home: str) -> Path:
    """Where the platform (`sys.platform`) wants programs to keep what is neither configuration nor cache."""
    home = Path(user_home)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "exai"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "exai"
    state = Path(environ.get("XDG_STATE_HOME") or "")
    return (state if state.is_absolute() else home / ".local" / "state") / "exai"


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
) -> Loaded:
    """`cwd` is what relative paths on the command line start from; elsewhere they are refused. `arguments` are texts by variable, `env_file` is the text of the file, `found` says that nobody named it; see the module for their order."""
    file = dotenv.parse(env_file or "")
    sources: Sources = (
        (ARGUMENTS, _anchored(arguments, cwd)),
        (ENVIRON, environ),
        (FOUND if found else FILE, file.values),
    )
    given = {setting.field: text for setting in SETTINGS if (text := _given(setting, sources))}
    values, faults = _parsed(given, Place(pathsep=pathsep, user_home=user_home))
    preset = PRESETS[str(values.get("environment", Config().environment))]
    base: dict[str, Any] = {"home": default_home(environ, platform, user_home), **preset}
    config = with_defaults_within(Config(**{**base, **values}), given)
    origins = _origins(given, values, preset, config)
    further = keys(environ, file.values, found=is_found(origins["providers_file"]))
    config = attrs.evolve(config, provider_keys=further[0], withheld_keys=further[1])
    return Loaded(
        config=config,
        origins=origins,
        faults=(*_unread(file), *faults, *_contradictory(config, given, origins)),
        warnings=(
            *_skipped(file),
            *_unknown(environ, file.values),
            *_rivals(sources),
            *oddities(config),
        ),
    )


def sets_ours(env_file: str) -> bool:
    """Whether a file with this text sets anything of EXAI's."""
    return not _OURS.isdisjoint(dotenv.parse(env_file).values)


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
        allowed=_later(given) or allowed,
        origin=given.origin,
    )


def _harmless(setting: Setting, text: str) -> str:
    is_address = setting.kind.is_address or urls.looks_like_one(text)
    return urls.without_password(text) if is_address else text


def _later(given: Given) -> str | None:
    if given.variable == "STORAGE_BACKEND" and given.text.lower() == "supabase":
        return "sqlite; supabase comes in a later version"
    return None


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
    by_field = {setting.field: setting for setting in SETTINGS}
    for field, allowed in (*contradictions(config), *misdirected(config, origins)):
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


def _unread(file: dotenv.EnvFile) -> Iterator[Fault]:
    for line, name in file.bad_lines:
        if name in _OURS:
            value = f"<line {line}>"
            yield Fault(
                variable=name, value=value, allowed="a value with closed quotes", origin=FILE
            )


def _skipped(file: dotenv.EnvFile) -> Iterator[str]:
    """Lines that set nothing of ours: the file may be another program's too."""
    for line, name in file.bad_lines:
        if name not in _OURS:
            yield f"line {line} of ENV_FILE is not NAME=value and is skipped"


def _unknown(*texts: Mapping[str, str]) -> Iterator[str]:
    names = sorted({name for source in texts for name in source if source[name].strip()})
    known = [setting.name for setting in SETTINGS]
    for name in names:
        if name in NOT_YET:
            yield f"{name} is set, but this version does not use it"
        elif name.startswith("EXAI_") and name not in known:
            yield f"{name} is no setting of EXAI{_nearest(name, known)}"


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # needed only when something is misspelt

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _rivals(sources: Sources) -> Iterator[str]:
    for setting in SETTINGS:
        for _, texts in sources:
            names = [name for name in (setting.name, *setting.aliases) if texts.get(name)]
            if len({texts[name] for name in names}) > 1:
                yield f"{' and '.join(names)} differ; {names[0]} is used"
