"""Does what was planned, and undoes it: settings, a provider, editors. Each change is recorded before it is made."""

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from exai_trio import structs
from exai_trio.commands.editors.editor_files import CannotChange
from exai_trio.commands.editors.editors_command import registration_of
from exai_trio.commands.editors.shim_server import Machine, editor_entry
from exai_trio.commands.initial.change_record import (
    Changes,
    read_record,
    record_beside,
    write_record,
)
from exai_trio.commands.initial.choices import SIMULATE, Plan
from exai_trio.commands.setup.own_settings import remove_settings, write_setting
from exai_trio.commands.setup.providers_on_disk import (
    add_server,
    names_on_disk,
    providers_path,
    remove_provider,
)
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.providers.providers_file import VARIABLE
from exai_trio.settings import dotenv
from exai_trio.settings.load import Loaded
from exai_trio.settings.table import SETTINGS


@structs.define
class Changing:
    """One run's changes; `made` are those so far. `config` is that of before."""

    own_file: Path
    config: Config
    environ: Mapping[str, str] = attrs.field(repr=False)
    made: Changes = attrs.field(factory=Changes)
    _before: Changes = attrs.field(factory=Changes, init=False)

    def __attrs_post_init__(self) -> None:
        self._before = read_record(record_beside(self.own_file))

    def write(self, plan: Plan) -> None:
        """Settings and provider. Raises OSError, ArgumentError."""
        for name, value in plan.choice.settings:
            self._record(Changes(settings={name: self._now(name)}))
            write_setting(self.own_file, name, value, _aliases(name))
        if plan.no_more_simulated and self._now(SIMULATE) is not None:
            self._record(Changes(settings={SIMULATE: self._now(SIMULATE)}))
            remove_settings(self.own_file, (SIMULATE,))
        if plan.choice.server is not None:
            self._record(Changes(settings={VARIABLE: self._now(VARIABLE)}))
            known = names_on_disk(self.config, self.own_file)
            name = add_server(plan.choice.server, self.config, self.own_file)
            self._record(Changes(providers=() if name in known else (name,)))

    def register(self, editor: str, loaded: Loaded, machine: Machine) -> str:
        """What was done. Raises CannotChange."""
        registration = registration_of(editor, self.environ)
        if registration.current() is None:
            self._record(Changes(editors=(editor,)))
        return registration.install(editor_entry(editor, loaded, machine))

    def take_back(self, tell: Callable[[str], None]) -> bool:
        """Undo what this run has made. Whether all of it is undone."""
        done = undo(self.made, self.config, self.own_file, self.environ, tell)
        write_record(record_beside(self.own_file), self._before)
        return done

    def _record(self, more: Changes) -> None:
        self.made = self.made.then(more)
        write_record(record_beside(self.own_file), self._before.then(self.made))

    def _now(self, name: str) -> str | None:
        return _texts(self.own_file).get(name)


def undo(
    changes: Changes,
    config: Config,
    own_file: Path,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> bool:
    """Take all of it back. Whether that went well; `tell` hears of each thing. Raises OSError."""
    well = True
    for editor in changes.editors:
        try:
            tell(registration_of(editor, environ).remove())
        except CannotChange as fault:
            tell(str(fault))
            well = False
    for name in changes.providers:
        _forget(name, config, own_file)
        tell(f"{name} is no provider any more")
    for name, value in changes.settings.items():
        _restore(own_file, name, value)
        tell(f"{name} is as it was in {own_file}")
    _drop_if_empty(own_file)
    return well


def _forget(name: str, config: Config, own_file: Path) -> None:
    try:
        path = remove_provider(name, config, own_file)
    except (NotFoundError, ArgumentError):
        # audit: empty-handler, because somebody has done it, or the file is theirs to mend
        return
    if path == providers_path(attrs.evolve(config, providers_file=None), own_file):
        _drop_if_empty(path)


def _restore(own_file: Path, name: str, value: str | None) -> None:
    if value is None:
        remove_settings(own_file, (name,))
    else:
        write_setting(own_file, name, value)


def _drop_if_empty(path: Path) -> None:
    if path.exists() and not path.is_symlink() and not path.read_text(encoding="utf-8").strip():
        path.unlink()


def _texts(own_file: Path) -> Mapping[str, str]:
    text = own_file.read_text(encoding="utf-8") if own_file.exists() else ""
    return dotenv.parse(text).values


def _aliases(name: str) -> tuple[str, ...]:
    return next((each.aliases for each in SETTINGS if each.name == name), ())
