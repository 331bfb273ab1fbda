"""A deprecated tool says so wherever it is met, is listed by the full profile alone, and works as before."""

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from exai_trio.tools.base import Deprecation
from exai_trio.tools.envelope import deprecated
from exai_trio.tools.general import chat
from exai_trio.tools.registry import BUILT_IN, Registry

GONE = Deprecation(since="2.1", instead="chat")
OLD = attrs.evolve(
    next(tool for tool in BUILT_IN if tool.name == "planner"),
    deprecated=GONE,
    visibility="essential",
)
SAID = "planner is deprecated since 2.1: use chat instead."
SCRIPT = Path(__file__).parents[2] / "scripts" / "deprecations.py"


@pytest.mark.parametrize(
    ("profile", "shown"), [("lean", False), ("standard", False), ("full", True)]
)
def test_only_the_full_profile_lists_it(profile, shown):
    registry = Registry(tools=(chat.TOOL, OLD), profile=profile)

    assert shown == (OLD in registry.visible())
    assert OLD == registry.get("planner")


def test_who_names_it_among_the_enabled_tools_keeps_it():
    registry = Registry(tools=(OLD,), enabled=frozenset({"planner"}))

    (listed,) = registry.listing()
    assert listed["description"].startswith(SAID)


@pytest.mark.parametrize(
    ("text", "told"), [('{"a": 1}', {"a": 1, "deprecated": "x"}), ("[1]", None), ("no", None)]
)
def test_an_answer_says_it_too(text, told):
    """Inside an object, below anything else."""
    assert (told or f"{text}\n\nx") == (
        json.loads(deprecated(text, "x")) if told else deprecated(text, "x")
    )


def test_the_page_of_deprecations_is_current():
    """It is written by `scripts/deprecations.py` and by nobody else."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
