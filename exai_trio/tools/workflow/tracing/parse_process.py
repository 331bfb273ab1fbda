"""The program of the process that reads sources: a JSON list of [suffix, text] in, for each a line with its Source out.

Parsers are C; hostile input makes them take all time and memory, or crash. Here that costs nobody else anything.
"""

import gc
import sys
from contextlib import suppress

import msgspec

from exai_trio.tools.workflow.tracing import grammar_source, python_source
from exai_trio.tools.workflow.tracing.languages import LANGUAGES, PYTHON
from exai_trio.tools.workflow.tracing.sources import Source


def read(suffix: str, text: str) -> Source:
    """What the text is, by its suffix."""
    if suffix in PYTHON:
        return python_source.read(text)
    from exai_trio.tools.workflow.tracing import grammars  # Python needs none

    return grammar_source.read(grammars.matches(LANGUAGES[suffix], text))


def main(most_bytes: int) -> None:
    """Answers line by line, so that what was read before a crash is not lost."""
    gc.disable()  # the process is over before it would pay
    _bound_memory(most_bytes)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, str]])
    for suffix, text in asked:
        sys.stdout.buffer.write(msgspec.json.encode(read(suffix, text)) + b"\n")
        sys.stdout.buffer.flush()


def _bound_memory(most_bytes: int) -> None:
    """Where the system can: a parser that wants more ends this process."""
    with suppress(ImportError, OSError, ValueError):
        # audit: suppress, because where the system cannot, the caller's limits of time hold
        import resource  # not everywhere

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
