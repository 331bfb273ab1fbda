"""`exai serve` with one tool more: it gives a text of any length, so that what is measured is the way of a large result."""

import sys
from functools import cache
from typing import Annotated

import attrs
import trio
from msgspec import Meta

from exai_trio.tools import registry
from exai_trio.tools.base import Answer, Tool

_LINE = "    return self.table.get(name, default)  # line {:>8} of what a model wrote at length\n"


@attrs.frozen(kw_only=True)
class Arguments:
    """How many bytes."""

    size: Annotated[int, Meta(ge=1)]


@cache
def text_of(size):
    """Made once: neither its time nor its memory is the result's."""
    lines = size // len(_LINE.format(0))
    return "".join(map(_LINE.format, range(lines))).ljust(size, ".")


async def give(arguments, _caller, _services):
    await trio.lowlevel.checkpoint()
    return Answer(text=text_of(arguments.size))


TOOL = Tool(name="bench_text", description="Text.", arguments=Arguments, run=give, repeatable=True)

if __name__ == "__main__":
    registry.BUILT_IN = (*registry.BUILT_IN, TOOL)
    from exai_trio.cli import main  # after the tool is there

    sys.exit(main(["serve"]))
