"""Of a command line that is wrong, the one that is right: what cannot be understood is repaired, what has failed is advised on."""

import shlex

import pytest

from exai_trio.commands.options import parser
from exai_trio.commands.usage import advice
from exai_trio.commands.usage.parser import UsageFault
from exai_trio.commands.usage.repair import repaired, said
from exai_trio.errors import ArgumentError
from exai_trio.transport.websocket import Unreachable

REPAIRED = {
    "xyzzy": "--help",
    "'how does this work?'": "ask 'how does this work?'",
    "chat 'what is it?'": "ask 'what is it?'",
    "status --jsn": "status --json",
    "status --zzzz": "status",
    "status extra": "status",
    "status --port": "status",
    "status --json=yes": "status --json",
    "logs -n many": "logs -n 30",
    "config --mcp emacs": "config --mcp claude",
    "config --mcp=claud": "config --mcp claude",
    "config --mcp claude --example": "config --mcp claude",
    "threads lst": "threads list",
    "ask 'what is it?' -m": "ask 'what is it?' -m auto",
    "ask 'what is it?' --timeout soon": "ask 'what is it?' --timeout 60",
}
SAID = {
    "dance": "there is no command 'dance'",
    "status --port": "--port: expected one argument",
    "status --zz": "exai status does not take --zz",
    "config --mcp emacs": "--mcp cannot be 'emacs': it is one of claude, codex, gemini, opencode, cursor, vscode, augment, http",
}
ADVISED = [
    ("ask q", "", {"typed": "q", "instead": "z"}, "ask z"),
    ("ask q -f nothing", "", {"typed": "nothing"}, "ask q"),
    ("ask q", "", {"typed": "elsewhere"}, "ask q"),
    ("threads show", "", {"missing": "ID"}, "threads show ID"),
    ("ask q -m glm-4.55", "", {"model": "glm-4.55", "nearest": ["glm-4.5"]}, "ask q -m glm-4.5"),
    ("ask q -m zz", "", {"model": "zz", "nearest": []}, "models"),
    ("ask q -t none -c", "", {"field": "continuation_id"}, "ask q"),
    ("call chat prompt=q continuation_id=x", "", {"field": "continuation_id"}, "call chat prompt=q"),
    ("call chatt prompt=q", "TOOL_NOT_FOUND", {"nearest": ["chat"]}, "call chat prompt=q"),
    ("call zz", "TOOL_NOT_FOUND", {"nearest": []}, "tools"),
    ("call chat hello", "VALIDATION_ERROR", {"field": "prompt"}, "call chat prompt=hello"),
    ("call chat promt=q", "VALIDATION_ERROR", {}, "call chat prompt=q"),
    ("call chat prompt=q temperature=9", "VALIDATION_ERROR", {"field": "temperature"}, "call chat prompt=q temperature=0.5"),
    ("call chat prompt=q thinking_mode=hard", "VALIDATION_ERROR", {"field": "thinking_mode"}, "call chat prompt=q thinking_mode=high"),
    ("call chat prompt=@/no/such/file --timeout 5", "VALIDATION_ERROR", {}, "call chat 'prompt=what does this do?' --timeout 5"),
    ("call planner step=one", "VALIDATION_ERROR", {}, "call planner step=one step_number=1 total_steps=1 next_step_required=true"),
    ("threads show x", "NOT_FOUND", {}, "threads list"),
    ("ask q", "SERVICE_UNAVAILABLE", {}, "doctor"),
    ("status", "SERVICE_UNAVAILABLE", {}, ""),
]  # fmt: skip


@pytest.mark.parametrize("typed", REPAIRED)
def test_what_cannot_be_understood_is_repaired(typed):
    assert f"exai {REPAIRED[typed]}" == repaired(shlex.split(typed), parser)


@pytest.mark.parametrize("typed", SAID)
def test_a_fault_names_no_part_of_the_parser(typed):
    with pytest.raises(UsageFault) as fault:
        parser().parse_args(typed.split())

    assert SAID[typed] == said(fault.value)


@pytest.mark.parametrize(("typed", "code", "details", "line"), ADVISED)
def test_what_has_failed_is_advised_on(typed, code, details, line):
    advised = advice.for_failure(code, details, shlex.split(typed))

    assert line == advised.removeprefix("exai ")


def test_an_exception_is_advised_on_as_its_failure_is():
    missing = ArgumentError("x", details={"missing": "ID"})

    found = [
        advice.for_exception(fault, ["threads"]) for fault in (Unreachable("x"), missing, OSError())
    ]
    assert ["exai serve", "exai threads ID", ""] == found
