"""`exai config --mcp EDITOR --install | --remove`, and what is said beside the text that is printed without them."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exai_trio.commands.console import Console
from exai_trio.commands.editors.claude_command import ClaudeCommand
from exai_trio.commands.editors.editor_files import CannotChange, EditorFile
from exai_trio.commands.editors.editor_formats import SHAPES
from exai_trio.commands.editors.editor_places import COMMANDS, own_folder, settings_files
from exai_trio.commands.editors.registration import Registration
from exai_trio.commands.editors.shim_server import Machine, editor_entry, note_missing_secrets
from exai_trio.commands.invocation import Started
from exai_trio.settings.used import faults_of

FAILED, USAGE = 1, 2
_RESTART: Final = "an editor that runs reads it when it starts anew"


def main(started: Started, machine: Machine) -> int:
    console, arguments = Console.of_process(started.environ), started.arguments
    editor = arguments.mcp
    if not editor:
        word = "--install" if arguments.install else "--remove"
        console.note(f"exai: say which editor: `exai config --mcp {next(iter(COMMANDS))} {word}`")
        return USAGE
    faults = () if arguments.remove else faults_of("shim", started.loaded)
    if faults:
        console.note("\n".join(f"exai: {fault}" for fault in faults))
        return FAILED
    try:
        registration = registration_of(editor, started.environ)
        if arguments.remove:
            console.say(f"exai: {registration.remove()}")
            return 0
        console.say(f"exai: {registration.install(editor_entry(editor, started.loaded, machine))}")
    except CannotChange as fault:
        console.note(f"exai: {fault}")
        return FAILED
    console.note(f"exai: {_RESTART}; `exai config --mcp {editor} --remove` takes it back")
    note_missing_secrets(started.loaded, console)
    return 0


def registration_of(editor: str, environ: Mapping[str, str]) -> Registration:
    """Where the editor is told of servers. Raises CannotChange where nobody knows that."""
    found = settings_files(editor, environ, sys.platform, home_of(environ))
    if not found:
        raise CannotChange(
            f"{SHAPES[editor].title} has no file that is known; paste what `exai config --mcp {editor}` prints into its settings"
        )
    file = next((each for each in found if each.exists()), found[0])
    program = shutil.which(COMMANDS[editor], path=environ.get("PATH"))
    own = (
        ClaudeCommand(program=program, environ=environ) if editor == "claude" and program else None
    )
    return Registration(shape=SHAPES[editor], file=EditorFile(file), own=own)


def editors_there(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those that are on the PATH, or have been used."""
    home = home_of(environ)
    return tuple(
        editor
        for editor, command in COMMANDS.items()
        if shutil.which(command, path=environ.get("PATH"))
        or any(
            own_folder(editor, file, home).exists()
            for file in settings_files(editor, environ, sys.platform, home)
        )
    )


def home_of(environ: Mapping[str, str]) -> Path:
    """Raises CannotChange where there is none."""
    try:
        home = Path(environ["HOME"]) if "HOME" in environ else Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise CannotChange("there is no home directory; set HOME")
    return home


def where_to_put(editor: str, environ: Mapping[str, str]) -> str:
    """One line about the text that is printed."""
    shape = SHAPES[editor]
    try:
        files = settings_files(editor, environ, sys.platform, home_of(environ))
    except CannotChange:
        files = ()
    if not files:
        return f"import it in the settings of {shape.title}"
    install = f"`exai config --mcp {editor} --install` puts it into {files[0]}"
    if shape.bare:
        return f"{install}; `claude mcp add-json --scope user exai -` takes it too, from a pipe"
    return install
