"""What `exai init` says before it does anything, and when all is done. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from exai_trio.commands.editors.editor_formats import SHAPES
from exai_trio.commands.initial.choices import Plan


def announced(plan: Plan, own_file: Path, *, daemon: bool) -> Iterator[str]:
    """What is going to be done; `daemon` says that one runs."""
    yield f"Answers come from {plan.choice.text}."
    for name, _ in plan.choice.settings:
        yield f"- {name} is written into {own_file}, for your eyes alone"
    if plan.choice.server is not None:
        yield f"- {plan.choice.server.base_url} is written into the file of providers beside {own_file}"
    if plan.choice.known:
        yield "- the key is tried with one short question"
    if plan.editors:
        yield f"- {_described(plan.editors)}: EXAI is registered, for all projects"
    if plan.changes_settings and daemon:
        yield "- the daemon that runs is started anew; its calls go on"
    yield "- one short question is asked through the shim, as an editor does"


def farewell(plan: Plan) -> Iterator[str]:
    """What to do now."""
    if plan.editors:
        yield f"Start {_described(plan.editors)} anew, and say to your agent:"
        yield "  Ask exai for a second opinion on my last change."
    else:
        yield "No editor was told. `exai config --mcp EDITOR --install` tells one; here, try:"
        yield '  exai ask "Is this a good plan?" -f README.md'
    if not plan.choice.real:
        yield "The answers are made up until `exai config set GLM_API_KEY` (or KIMI_API_KEY) and `exai init` again."
    yield "`exai init --undo` takes everything back."


def _described(editors: Sequence[str]) -> str:
    return ", ".join(SHAPES[editor].title for editor in editors)
