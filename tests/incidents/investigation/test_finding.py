"""What a model says of an incident is an answer only as far as it is one."""

import json

import pytest

from exai_trio.incidents.investigation.finding import answered
from exai_trio.providers.answers.json_in_prose import objects_in

EVIDENCE = {"F1": "KeyError", "T1": "step", "L1": "line"}
GOOD = {
    "root_cause": "a key is missing",
    "confidence": 0.8,
    "evidence": ["T1", "L9", "T1"],
    "fix": {"summary": "ask before", "steps": ["a", 3, "b"], "complexity": "Low"},
}
PATCH = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b\n"


def read(text):
    return answered(text, EVIDENCE, lambda name: name == "exai_trio/cli.py")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        f"Sure! Here {{is}} it:\n```json\n{json.dumps(GOOD, indent=2)}\n```\nHope it helps.",
        json.dumps({"thinking": "x"}) + json.dumps(GOOD),
        json.dumps(GOOD)[:-1],
        json.dumps(GOOD) + "{",
        json.dumps(GOOD).replace("missing", "miss\ning").replace("miss\ning", "missing"),
    ],
    ids=["plain", "prose", "two", "unclosed", "and more", "raw line end"],
)
def test_an_answer_is_found_in_whatever_stands_around_it(text):
    found = read(text)

    assert ("a key is missing", 0.8, ["T1"], 1, True) == tuple(
        found.result[key]
        for key in ("root_cause", "confidence", "evidence", "struck_out", "grounded")
    )
    assert {"summary": "ask before", "steps": ["a", "b"], "complexity": "low"} == found.fix


def test_half_an_answer_keeps_what_is_whole():
    found = read('{"root_cause": "a key is missing", "confidence": 0.5, "evidence": ["F1", "T')

    assert (["F1"], 0.5) == (found.result["evidence"], found.result["confidence"])


@pytest.mark.parametrize("text", ["", "I do not know.", "{}", "[1]", '{"root_cause": 3}', '{"root_cause": " "}', "{" * 5000, '{"a": ' * 3000])  # fmt: skip
def test_prose_and_wrong_json_are_no_answer(text):
    assert None is read(text)


def test_what_rests_on_no_evidence_is_ungrounded():
    found = read(json.dumps(GOOD | {"evidence": ["X1"], "confidence": "high"}))
    assert (False, 0.8) == (found.result["grounded"], found.result["confidence"])


@pytest.mark.parametrize(
    ("confidence", "kept"), [(80, 0.8), ("80%", 0.8), (-1, 0), ("", 0), (None, 0), (True, 0), (float("nan"), 0), (1e9, 1)]
)  # fmt: skip
def test_a_confidence_is_from_0_to_1(confidence, kept):
    assert kept == read(json.dumps(GOOD | {"confidence": confidence})).result["confidence"]


@pytest.mark.parametrize(
    ("patch", "kept"),
    [
        (PATCH.format("exai_trio/cli.py"), True),
        (PATCH.format("exai_trio/none.py"), False),
        (PATCH.format("../etc/passwd"), False),
        ("change line 3", False),
    ],
)
def test_a_patch_for_a_file_that_is_not_ours_is_left_out(patch, kept):
    fix = read(json.dumps(GOOD | {"fix": {"summary": "s", "patch": patch}})).fix
    assert (kept, kept) == ("patch" in fix, "patch_left_out" not in fix)


def test_objects_come_in_their_order():
    assert [{"a": 1}, {"b": {"c": 2}}] == list(objects_in('x {"a": 1} y {"b": {"c": 2}} z'))
