"""What our pages tell people to type exists: commands, options, tools and their arguments."""

import re
import shlex
from pathlib import Path

import pytest

from exai_trio.commands.options import parser
from exai_trio.config import Config
from exai_trio.tools.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("learn", "how-to", "reference", "explanation")
PAGES = [
    ROOT / "README.md",
    *(page for room in ROOMS for page in (ROOT / "docs" / room).glob("*.md")),
]
BLOCK = re.compile(r"^ {4}(?:\$ )?(?:[A-Z_]+=\S+ )*exai (.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?:[A-Z_]+=[^ `]+ )*exai ([a-z-][^`]*)`")
PLACEHOLDER = re.compile(r"EDITOR|TOOL|KEY|…|\[|^--version$")


def _shown():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for words in (*BLOCK.findall(text), *INLINE.findall(text)):
            if " " in words and not PLACEHOLDER.search(words):
                yield shlex.split(words, comments=True)


@pytest.fixture(scope="module")
def schemas():
    listed = Registry.from_config(Config(tool_profile="full")).listing()
    return {tool["name"]: tool["inputSchema"]["properties"] for tool in listed}


def test_each_command_is_accepted(schemas):
    """argparse ends with 2 for what it does not know, and has said why."""
    shown = list(_shown())
    assert len(shown) > 20
    accepts = parser()
    for words in shown:
        arguments = accepts.parse_args(words)
        if arguments.command == "call":
            assert {key.partition("=")[0] for key in arguments.words} <= set(
                schemas[arguments.tool]
            )
