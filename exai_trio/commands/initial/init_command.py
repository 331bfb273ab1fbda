"""`exai init`: finds keys, model servers and editors, asks, shows, writes, tries, registers, and makes one call through the shim."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from exai_trio.commands.console import Console
from exai_trio.commands.editors.editor_files import CannotChange
from exai_trio.commands.editors.editor_places import COMMANDS
from exai_trio.commands.editors.shim_server import Machine, machine_of, shim_env
from exai_trio.commands.initial import change_record, shim_call
from exai_trio.commands.initial.announcements import announced, farewell
from exai_trio.commands.initial.carry_out import Changing, undo
from exai_trio.commands.initial.choices import Found, Plan, choices, planned
from exai_trio.commands.initial.dialogue import ALL, Declined, Dialogue, named
from exai_trio.commands.initial.key_advice import URLS, advice
from exai_trio.commands.initial.surroundings import surroundings
from exai_trio.commands.invocation import Started
from exai_trio.commands.running import home_daemon, restart_daemon
from exai_trio.commands.setup.try_providers import Trial, try_all
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, ExaiError
from exai_trio.settings.load import Loaded

T = TypeVar("T")
DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_ANSWER_S: Final = 660.0  # a model of this machine may take ten minutes
_PROVIDERS: Final = {"GLM_API_KEY": "glm", "KIMI_API_KEY": "kimi"}


def main(started: Started) -> int:
    console, arguments = Console.of_process(started.environ), started.arguments
    if started.own_file is None:
        console.note("exai: there is no home directory; set HOME or XDG_CONFIG_HOME")
        return FAILED
    if not (arguments.yes or arguments.dry_run or arguments.undo or _is_typed()):
        console.note(
            "exai: nobody is there to be asked; `exai init --yes` takes the defaults, `exai init --dry-run` shows them"
        )
        return USAGE
    try:
        act = _undo if arguments.undo else _init
        return act(started, started.own_file, console)
    except Declined:
        console.note("exai: nothing was changed")
        return FAILED
    except ArgumentError as fault:
        console.note(f"exai: {fault}")
        return USAGE
    except OSError as fault:
        console.note(f"exai: {started.own_file.parent} cannot be written ({fault})")
        return FAILED


def _is_typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _init(started: Started, own_file: Path, console: Console) -> int:
    """Raises Declined, ArgumentError, OSError; then nothing was changed."""
    console.status("looking for keys, model servers and editors …")
    found = _run(surroundings, started)
    console.erase()
    plan = _decided(started, found, Dialogue(console=console))
    for line in announced(plan, own_file, daemon=home_daemon.is_running(started.loaded.config)):
        console.tell(line)
    if started.arguments.dry_run:
        console.note("exai: nothing was changed; `exai init` does it")
        return DONE
    if not started.arguments.yes:
        Dialogue(console=console).agreed()
    changing = Changing(own_file, started.loaded.config, started.environ)
    try:
        changed = _changed(started, changing, plan, console)
    except KeyboardInterrupt:
        console.erase()
        console.note("exai: interrupted; nothing was changed")
        return INTERRUPTED
    if changed is None:
        console.note("exai: nothing was changed")
        return FAILED
    loaded, well = changed
    return _answered(started, loaded, plan, console, well=well)


def _changed(
    started: Started, changing: Changing, plan: Plan, console: Console
) -> tuple[Loaded, bool] | None:
    """The settings as they are now, and whether every editor was told. A key that is refused, a fault or Ctrl-C takes everything
    back; None for the first."""
    with ExitStack() as otherwise:
        otherwise.callback(changing.take_back, lambda _: None)
        loaded = _written(started, changing, plan)
        if not _tried(plan, loaded, console):
            return None
        well = _registered(plan, changing, loaded, machine_of(started), console)
        otherwise.pop_all()
        return loaded, well


def _decided(started: Started, found: Found, dialogue: Dialogue) -> Plan:
    """Raises Declined, ArgumentError."""
    arguments, ways = started.arguments, choices(found)
    asks = not (arguments.yes or arguments.dry_run)
    wanted = arguments.editors or (None if asks else ALL)
    way = dialogue.choose(ways) if asks else ways[0]
    editors = dialogue.editors(found) if wanted is None else named(wanted, found.editors)
    if editors is None:
        raise ArgumentError(
            f"--editors {wanted}: names of {', '.join(COMMANDS)} with commas; all; or none"
        )
    return planned(way, editors, found)


def _written(started: Started, changing: Changing, plan: Plan) -> Loaded:
    """The settings as they are then. Raises OSError, ArgumentError."""
    changing.write(plan)
    loaded = started.loaded if started.reread is None else started.reread()
    if loaded.faults:
        raise ArgumentError("; ".join(map(str, loaded.faults)))
    return loaded


def _tried(plan: Plan, loaded: Loaded, console: Console) -> bool:
    """Whether no key is refused. A provider that cannot be reached may be later."""
    if loaded.config.simulate:
        return True
    trials: list[Trial] = []
    for name in plan.choice.known:
        if provider := _PROVIDERS.get(name):
            console.status(f"trying {provider} …")
            _run(try_all, loaded.config, provider, trials.append)
    console.erase()
    refused = [trial for trial in trials if not _is_good(trial, loaded.config, console)]
    return not refused


def _is_good(trial: Trial, config: Config, console: Console) -> bool:
    name = next(name for name, provider in _PROVIDERS.items() if provider == trial.provider)
    if not trial.fault:
        console.tell(f"{trial.provider}: {trial.model} answered in {trial.seconds:.1f} s.")
        return True
    key, url = getattr(config, name.lower()), getattr(config, URLS[name].lower())
    what_next = advice(name, key, url, trial.fault)
    console.note(f"exai: {trial.fault}{f'. {what_next}' if what_next else ''}")
    return not what_next


def _registered(
    plan: Plan, changing: Changing, loaded: Loaded, machine: Machine, console: Console
) -> bool:
    """Whether every editor could be told."""
    well = True
    for editor in plan.editors:
        try:
            console.tell(changing.register(editor, loaded, machine) + ".")
        except CannotChange as fault:
            console.note(f"exai: {fault}")
            well = False
    return well


def _answered(started: Started, loaded: Loaded, plan: Plan, console: Console, *, well: bool) -> int:
    """The exit code: one call through the shim, then what to say to the agent."""
    try:
        spoken = _run(_asked, started, loaded, plan, console)
    except KeyboardInterrupt:
        console.erase()
        console.note(
            "exai: the question was interrupted; everything before it is done. `exai init --undo` takes it back"
        )
        return INTERRUPTED
    console.erase()
    if spoken.fault:
        console.note(
            f"exai: everything is written, and no answer came: {spoken.fault.rstrip('.')}. `exai doctor` says more"
        )
        return FAILED
    console.tell(f"\nAnswered through the shim:\n{spoken.text.strip()}\n")
    for line in farewell(plan):
        console.tell(line)
    return DONE if well else FAILED


async def _asked(
    started: Started, loaded: Loaded, plan: Plan, console: Console
) -> shim_call.Spoken:
    config = loaded.config
    if plan.changes_settings and home_daemon.is_running(config):
        quiet = attrs.evolve(console, out=console.err)
        try:
            await restart_daemon.run(config, quiet)
        except ExaiError as fault:
            return shim_call.Spoken(fault=str(fault))
    environ = {**started.environ, **shim_env(loaded, machine_of(started))}
    console.status("asking through the shim …")
    with trio.move_on_after(_ANSWER_S):
        return await shim_call.ask(environ, partial(_progress, console))
    return shim_call.Spoken(fault=f"nothing within {_ANSWER_S:.0f} s")


def _progress(console: Console, text: str) -> None:
    console.status(f"asking through the shim … {text}")


def _undo(started: Started, own_file: Path, console: Console) -> int:
    """Raises OSError."""
    record = change_record.record_beside(own_file)
    changes = change_record.read_record(record)
    if not changes:
        console.tell("Nothing is there to be undone.")
        return DONE
    well = undo(changes, started.loaded.config, own_file, started.environ, console.tell)
    left = [each for each in changes.editors if not well]
    change_record.write_record(record, change_record.Changes(editors=tuple(left)))
    if home_daemon.is_running(started.loaded.config):
        console.note("exai: the daemon that runs knows nothing of it; `exai stop` ends it")
    return DONE if well else FAILED


def _run(act: Callable[..., Awaitable[T]], *given: object) -> T:
    """What that returns. Raises KeyboardInterrupt bare, which a nursery wraps."""
    found: list[T] = []
    interrupted = False
    try:
        found.append(trio.run(act, *given))
    except* KeyboardInterrupt:
        interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    return found[0]
