"""`exai config set | unset | path`: the user's own settings file."""

from difflib import get_close_matches
from pathlib import Path

from exai_trio import structs
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.setup.own_settings import remove_settings, write_setting
from exai_trio.commands.setup.secret_input import read_secret
from exai_trio.errors import ArgumentError
from exai_trio.settings.load import DEFAULT, OWN
from exai_trio.settings.table import SETTINGS
from exai_trio.settings.trust import is_key
from exai_trio.settings.values import Kind, Place, visible

FAILED, USAGE = 1, 2


@structs.frozen(kw_only=True)
class Named:
    """A variable that may stand in the file; `names` are all of its setting's."""

    name: str
    kind: Kind
    secret: bool
    names: tuple[str, ...]
    field: str = ""


def main(started: Started) -> int:
    console, path = Console.of_process(), started.own_file
    if path is None:
        console.note("exai: there is no home directory; set HOME or XDG_CONFIG_HOME")
        return FAILED
    try:
        return _act(started, path, console)
    except ArgumentError as fault:
        console.note(f"exai: {fault}")
        return USAGE
    except OSError as fault:
        console.note(f"exai: {path} cannot be written ({fault}); nothing was changed")
        return FAILED


def _act(started: Started, path: Path, console: Console) -> int:
    arguments = started.arguments
    if arguments.action == "path":
        console.say(str(path))
    elif arguments.action == "unset":
        for name in arguments.names:
            remove_settings(path, named(name).names)
            console.note(f"exai: {name} is not in {path}")
    else:
        _set(started, path, console)
    return 0


def _set(started: Started, path: Path, console: Console) -> None:
    name, _, joined = started.arguments.name.partition("=")
    setting = named(name)
    value = _value(setting, started.arguments.value, joined, started.pathsep)
    others = [each for each in setting.names if each != setting.name]
    write_setting(path, setting.name, value, others)
    console.note(
        f"exai: {setting.name} is in {path}; a daemon that runs reads it at its next start"
    )
    origin = started.loaded.origins.get(setting.field, DEFAULT)
    if origin.partition(",")[0] not in {OWN, DEFAULT} and "=" not in origin:
        console.note(f"exai: but the {origin} sets {setting.name} too, and goes before that file")


def named(name: str) -> Named:
    """What may be set under that name. Raises ArgumentError with the nearest name."""
    for setting in SETTINGS:
        names = (setting.name, *setting.aliases)
        if name in names:
            return Named(
                name=setting.name,
                kind=setting.kind,
                secret=setting.secret,
                names=names,
                field=setting.field,
            )
    if is_key(name) and name.isidentifier() and name.isascii():
        return Named(name=name, kind=visible("a key"), secret=True, names=(name,))
    near = get_close_matches(name.upper(), [each.name for each in SETTINGS], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ArgumentError(f"{name!r} is no setting; {hint}`exai config` lists all")


def _value(setting: Named, given: str | None, joined: str, pathsep: str) -> str:
    """The text to be written. Raises ArgumentError, which repeats no secret."""
    text = given or joined
    if setting.secret:
        if text:
            raise ArgumentError(
                f"{setting.name} is not taken from the command line, where other users and your shell's history see it:"
                f" `exai config set {setting.name}` asks for it, or pipe it into that"
            )
        text = read_secret(setting.name)
    if not text.strip():
        raise ArgumentError(
            f"`exai config set {setting.name} VALUE`; VALUE is {setting.kind.allowed}"
        )
    _check(setting, text.strip(), pathsep)
    return text.strip()


def _check(setting: Named, text: str, pathsep: str) -> None:
    shown = "what was given" if setting.secret else repr(text)
    try:
        text.encode()
        setting.kind.parse(text, Place(pathsep=pathsep, user_home=str(Path.home())))
    except (ValueError, RuntimeError) as fault:
        raise ArgumentError(f"{setting.name}: {shown} is not {setting.kind.allowed}") from fault
