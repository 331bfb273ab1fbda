"""The generated pages of the command line, out of the parsers themselves: docs/reference/cli.md and the man page that the package brings.

Without arguments it writes them; with --check it names those that are not what they would be, exit 1.
"""

import sys
from argparse import SUPPRESS
from pathlib import Path

from exai_trio.commands.options import parser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"
MAN = ROOT / "exai_trio" / "commands" / "usage" / "exai.1"
EXIT_CODES = {
    "0": "done",
    "1": "failed",
    "2": "wrong usage or settings",
    "75": "no daemon answers",
    "130": "interrupted",
}
HEAD = """\
# The command line

Written by `scripts/manual.py`; a test holds this page to the package.

Options may stand anywhere. What cannot be understood is answered with a line that can be. `exai help COMMAND` says the same as this page.
"""
VARIABLES = {
    "NO_COLOR": "no colours, whatever the terminal can do",
    "FORCE_COLOR": "colours and drawn Markdown also into a pipe",
    "TERM": "`dumb` gets plain text and no status line",
    "ENV_FILE": "the file of settings that every command reads",
}


def main():
    wanted = {PAGE: markdown(), MAN: roff()}
    if "--check" not in sys.argv:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [path.name for path, text in wanted.items() if read(path) != text]
    sys.exit(f"run scripts/manual.py: {', '.join(stale)}" if stale else 0)


def read(path):
    return path.read_text(encoding="utf-8") if path.exists() else None


def commands(top, name="exai"):
    """Every command with its parser, those below others too."""
    for action in top.positionals:
        for word, below in (action.choices if isinstance(action.choices, dict) else {}).items():
            yield f"{name} {word}", below
            yield from commands(below, f"{name} {word}")


def about(found):
    return found.description or ""


def arguments(found):
    """Names and explanation of each word and option, as help has them."""
    for action in found.positionals:
        if action.help is not SUPPRESS and not isinstance(action.choices, dict):
            yield str(action.metavar or action.dest), action.help or ""
    for action in found.shown_options:
        if action.dest != "help":
            yield ", ".join(named(action)), action.help or ""


def named(action):
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return [f"{option}{value}" for option in action.option_strings]


def usage(name, found):
    words = [word_of(action) for action in found.positionals]
    return " ".join([name, "[options]", *words])


def word_of(action):
    shown = str(action.metavar or action.dest)
    return {"?": f"[{shown}]", "*": f"[{shown} …]"}.get(str(action.nargs), shown)


# Markdown


def markdown():
    parts = [HEAD]
    for name, found in commands(parser()):
        parts.append(f"\n## {name}\n\n{about(found)}\n\n    {usage(name, found)}\n")
        rows = list(arguments(found))
        if rows:
            parts.append(
                "\n| | |\n|---|---|\n"
                + "".join(f"| `{word}` | {cell(text)} |\n" for word, text in rows)
            )
        if found.examples:
            parts.append("\n" + "".join(f"    {example}\n" for example in found.examples))
    parts.append("\n## Exit codes\n\n| | |\n|---|---|\n")
    parts += [f"| {code} | {text} |\n" for code, text in EXIT_CODES.items()]
    parts.append("\n## The environment\n\n| | |\n|---|---|\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in VARIABLES.items()]
    parts.append("\nAll other settings: [settings](settings.md).\n")
    return "".join(parts)


def cell(text):
    return text.replace("|", "\\|").replace("%%", "%")


# The man page


def roff():
    lines = ['.TH EXAI 1 "" "exai" "User Commands"', ".SH NAME"]
    lines += [
        "exai \\- a second opinion for coding agents: GLM, Kimi and local models",
        ".SH SYNOPSIS",
    ]
    lines += [".B exai", ".I COMMAND", "\\&…", ".SH COMMANDS"]
    for name, found in commands(parser()):
        lines += [f".SS {escaped(usage(name, found))}", escaped(about(found))]
        for word, text in arguments(found):
            lines += [".TP", f".B {escaped(word)}", escaped(text) or "\\&"]
        for example in found.examples:
            lines += [".PP", ".nf", f"    {escaped(example)}", ".fi"]
    lines += [".SH EXIT STATUS", *pairs(EXIT_CODES), ".SH ENVIRONMENT", *pairs(VARIABLES)]
    return "\n".join(lines) + "\n"


def pairs(table):
    return [line for name, text in table.items() for line in (".TP", f".B {name}", escaped(text))]


def escaped(text):
    clean = text.replace("%%", "%").replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{clean}" if clean.startswith((".", "'")) else clean


if __name__ == "__main__":
    main()
