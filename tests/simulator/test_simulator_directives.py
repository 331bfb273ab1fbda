"""Asking for faults: the words, their values, what is refused. No sockets."""

from pathlib import Path

import attrs
import pytest

from exai_trio.simulator.faults import BadDirectiveError, Fault, fault_from, fault_in, words_of
from exai_trio.simulator.vendors.error_bodies import KIMI_ROWS


def test_text_without_directive_asks_for_nothing():
    """An ordinary prompt has no fault."""
    assert fault_in("please [[review]] this") is None


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("delay=2", Fault(delay=2.0)),
        (
            "status=429 code=1302 retry_after=1 times=2",
            Fault(status=429, error="1302", retry_after=1.0, times=2),
        ),
        ("type=engine_overloaded_error", Fault(error="engine_overloaded_error")),
        ("cut_after=3", Fault(cut_after=3)),
        ("hang", Fault(hang=0)),
        ("hang=4 comments", Fault(hang=4, comments=True)),
        ("tokens=500 drip=0.01", Fault(tokens=500, drip=0.01)),
        ("broken_json", Fault(broken_json=1)),
        ("error_event=2 code=1305", Fault(error_event=2, error="1305")),
        ("empty no_done", Fault(empty=True, no_done=True)),
        ("""say='two words' call=f arguments='{"a": 1}'""", Fault(say="two words", call="f", arguments='{"a": 1}')),
        ("usage=choice object_arguments=true", Fault(usage="choice", object_arguments=True)),
    ],
)  # fmt: skip
def test_words_become_a_fault(directive, expected):
    """Every word means one field; a word alone has its own meaning."""
    assert fault_in(f"hello [[simulate: {directive}]] world") == expected


def test_several_directives_add_up():
    """Directives in one message are read as one, the later word wins."""
    text = "[[simulate: delay=1 tokens=3]] and [[simulate: delay=2]]"

    assert fault_in(text) == Fault(delay=2.0, tokens=3)


@pytest.mark.parametrize(
    "directive",
    ["dealy=2", "delay=soon", "delay=-1", "status=99", "hang=x", "empty=maybe", "say='open", "usage=up"],
)  # fmt: skip
def test_what_is_not_understood_is_refused(directive):
    """A misspelt fault must not look like a passing test."""
    with pytest.raises(BadDirectiveError):
        fault_in(f"[[simulate: {directive}]]")


def test_control_takes_json_values():
    """The control endpoint's JSON means the same as the words."""
    fault = fault_from({"delay": 0.5, "hang": 2, "empty": True, "arguments": {"a": 1}})

    assert fault == Fault(delay=0.5, hang=2, empty=True, arguments='{"a": 1}')


def test_worn_out_fault_keeps_its_shape():
    """When `times` is used up the answer is sound, and still as long and as slow as asked."""
    fault = fault_from(words_of("tokens=5 drip=0.1 cut_after=2 status=500 delay=3 times=1"))

    assert fault.without_wrong() == Fault(tokens=5, drip=0.1, times=1)


def test_every_word_is_documented():
    """The page on the simulator names every word and every row of Kimi's errors."""
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "simulator.md").read_text(
        encoding="utf-8"
    )
    words = [*(field.name for field in attrs.fields(Fault)), "code", "type", *KIMI_ROWS]

    assert [word for word in words if f"`{word}" not in page] == []
