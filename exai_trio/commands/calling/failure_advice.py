"""A call that failed, told at a shell: why, whether trying again may help, and the line that is right instead."""

from collections.abc import Callable

from msgspec import UNSET

from exai_trio.commands.calling.outcome_text import failure
from exai_trio.commands.console import Console
from exai_trio.wire.messages import Fault

Advise = Callable[[Fault], str]


def silent(_fault: Fault) -> str:
    return ""


def advice(fault: Fault, *, words: tuple[str, ...]) -> str:
    """What to type instead of these words; "" if nothing helps."""
    from exai_trio.commands.usage.advice import for_failure  # noqa: PLC0415  # only when something failed

    details = {} if fault.details is UNSET else fault.details
    return for_failure(fault.code, details, words)


def tell_failure(console: Console, what: str, fault: Fault, advise: Advise) -> None:
    console.note(failure(what, fault))
    if line := advise(fault):
        console.hint(f"try: {line}")
