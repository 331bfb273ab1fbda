"""planner, tracer and docgen: what they keep, merge, trace and count without asking anybody."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.tools.workflow import plan
from exai_trio.tools.workflow.steps.investigation_state import Note, State, state_of


async def test_a_plan_keeps_branches_and_revisions(bench):
    """A revision stands where the revised step stood, a branch behind the trunk; the text comes at the end."""
    again = (await bench.step("planner", 1, 4, step="ONE"))["continuation_id"]
    for number, more in (
        (2, {"step": "TWO"}),
        (3, {"step": "BETTER-TWO", "is_step_revision": True, "revises_step_number": 2}),
        (3, {"step": "OTHER", "branch_id": "b", "branch_from_step": 1, "is_branch_point": True}),
    ):
        await bench.step("planner", number, 4, continuation_id=again, **more)
    last = await bench.step("planner", 4, 4, step="FOUR", continuation_id=again)
    merged = last["complete_planner"]

    assert last["status"] == "planning_complete"
    assert merged["text"] == (
        "# Plan\n1. ONE\n2. BETTER-TWO (revised in step 3)\n4. FOUR\n\n## Branch b (from step 1)\n3. OTHER"
    )
    assert (["b"], 1) == (merged["branches"], merged["revisions"])
    assert not bench.gateway.requests


async def test_planner_tolerates_findings_and_more_steps(bench):
    """Old clients send findings; a last step that needs more is not the last."""
    said = await bench.step("planner", 1, 1, findings="x", more_steps_needed=True)

    assert (said["status"], said["next_step_required"]) == ("pause_for_planner", True)
    assert said["next_call"]["arguments"]["step_number"] == 2


def planned(number, text, branch="", **own):
    return Note(number=number, total=9, more=True, text=text, branch=branch, own=own)


def test_a_revision_of_a_revision_reaches_the_step():
    """Revising the revision changes the same step again."""
    notes = (
        planned(1, "A"),
        planned(2, "B", revises_step_number=1),
        planned(3, "C", revises_step_number=2),
    )

    assert plan.merged(State(notes=notes))["text"] == "# Plan\n1. C (revised in step 3)"


def test_a_revision_of_nothing_is_a_step():
    """Revising a step that is not there adds one."""
    assert plan.merged(State(notes=(planned(5, "E", revises_step_number=2),)))["text"] == (
        "# Plan\n5. E"
    )


NOTES = st.lists(
    st.builds(
        planned,
        st.integers(1, 5),
        st.sampled_from("xyz"),
        branch=st.sampled_from(["", "b"]),
        revises_step_number=st.integers(1, 5),
    ),
    min_size=1,
    max_size=8,
)


@given(NOTES)
def test_any_notes_make_a_state_and_a_plan(notes):
    """Whatever comes in whatever order: numbers ascend, each place once, nothing is lost but what is replaced."""
    state = state_of(note.as_data() for note in notes)
    merged = plan.merged(state)

    assert len({note.place for note in state.notes}) == len(state.notes)
    assert [n.number for n in state.notes] == sorted(n.number for n in state.notes)
    assert len(notes) == len(state.notes) + len(state.history)
    assert merged["steps"] + merged["revisions"] == len(state.notes)


def found(flow):
    return {each["name"]: each for each in flow["definitions"]}


@pytest.mark.real
async def test_tracer_traces_files_and_asks_for_the_rest(bench, tmp_path):
    """Files of known languages are traced at once; others are named for the agent, and so is what could not be read."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "s.py").write_text("def main():\n    helper()\n")
    (root / "s.go").write_text("package main\nfunc helper() {}\nfunc (")
    (root / "s.zig").write_text("fn main() void {}")
    (root / "large.js").write_text("f(1);\n" * 200_000)
    (root / "gone.py").write_text("")
    files = [str(root / name) for name in ("s.py", "s.go", "s.zig", "large.js", "gone.py")]
    first = await bench.step("tracer", 1, 3, relevant_files=files)
    (root / "gone.py").unlink()
    again = {"continuation_id": first["continuation_id"]}
    status = (await bench.step("tracer", 2, 3, **again))["tracer_status"]
    last = await bench.step("tracer", 3, 3, **again)
    flow = status["call_flow"]

    assert ["main", "helper"] == list(found(flow))
    assert [{"name": "main", "at": f"{files[0]}:2"}] == found(flow)["helper"]["called_by"]
    assert status["to_trace_by_reading"] == [files[2]]
    assert "larger than" in flow["unparsed"].pop(files[3])
    assert list(flow["unparsed"]) == [files[4]]
    assert "line 3" in flow["partly_parsed"][files[1]]
    assert last["status"] == "analysis_complete"
    assert "main" in found(last["complete_tracer"]["call_flow"])
    assert not bench.gateway.requests


@pytest.mark.real
async def test_tracer_names_dependencies(bench, tmp_path):
    """trace_mode dependencies: what the target uses, what uses it, and the imports."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "a.ts").write_text(
        "import { x } from './x';\nclass Größe {}\nclass B extends Größe {}\n"
    )
    said = await bench.step(
        "tracer",
        trace_mode="dependencies",
        target_description="Größe",
        relevant_files=[str(root / "a.ts")],
    )
    flow = said["tracer_status"]["call_flow"]

    assert [{"name": "B", "at": f"{root}/a.ts:3"}] == found(flow)["Größe"]["used_by"]
    assert {f"{root}/a.ts": ["./x"]} == flow["imports"]


@pytest.mark.parametrize("total", [1, 3])
async def test_tracer_asks_for_the_mode(bench, total):
    """trace_mode ask: the answer explains both modes and has the call ready; then it goes on."""
    asked = await bench.step("tracer", 1, total, trace_mode="ask")
    said = await bench.step("tracer", 1, 3, continuation_id=asked["continuation_id"])

    assert asked["status"] == "mode_selection_required"
    assert asked["next_call"]["arguments"]["trace_mode"] == "precision"
    assert ["precision", "dependencies"] == [
        action.partition(":")[0] for action in asked["required_actions"]
    ]
    assert said["status"] == "pause_for_tracer"


async def test_docgen_counts_and_does_not_end_early(bench):
    """The counters are in the answer; while files are left the last step is none; more done than there were raises the total."""
    early = await bench.step("docgen", 1, 1, num_files_documented=1, total_files_to_document=3)
    again = early["continuation_id"]
    done = await bench.step(
        "docgen", 2, 2, num_files_documented=4, total_files_to_document=3, continuation_id=again
    )

    assert ("pause_for_docgen", True) == (early["status"], early["next_step_required"])
    assert early["docgen_status"]["files_remaining"] == 2
    assert "2 files are not documented yet" in early["next_steps"]
    assert done["status"] == "documentation_analysis_complete"
    assert (4, 4, 0) == tuple(
        done["docgen_status"][key]
        for key in ("num_files_documented", "total_files_to_document", "files_remaining")
    )


async def test_a_chat_after_a_plan_sees_it(bench):
    """The merged plan is in the conversation."""
    again = (await bench.step("planner", 1, 1, step="PLAN-ONE"))["continuation_id"]
    await bench.say("good?", continuation_id=again)

    assert "1. PLAN-ONE" in bench.gateway.requests[0].messages[2].text
