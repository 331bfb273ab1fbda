"""Files that a workflow tool is given: there, gone, never there; and what is done if nothing of them can be shown."""

import jsonschema
import pytest
import trio

from exai_trio.errors import NotFoundError
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.tools.registry import BUILT_IN, listed
from exai_trio.workspace import upload_source
from exai_trio.workspace.read import Found

pytestmark = pytest.mark.real

SCHEMAS = {tool.name: listed(tool)["outputSchema"] for tool in BUILT_IN}
WORKFLOWS = [tool.name for tool in BUILT_IN if tool.kind == "workflow"]
WITH_FILES = [
    tool.name for tool in BUILT_IN if tool.kind == "workflow" and "relevant_files" in tool.paths
]
NEEDS_FILES = ["codereview", "secaudit", "testgen"]
REQUIRED = "files_required_to_continue"


@pytest.fixture
def project(tmp_path, bench):
    """A directory that may be read, with a file."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "a.py").write_text("def a():\n    return 1\n")
    (root / "b.py").write_text("def b():\n    return 2\n")
    return root


def paths(project, *names):
    return [str(project / name) for name in names]


def question(bench):
    return bench.gateway.requests[-1].messages[-1].text


@pytest.mark.parametrize("name", [name for name in WITH_FILES if name != "precommit"])
@pytest.mark.parametrize("number", [1, 2])
async def test_a_file_that_was_never_there_is_not_found(bench, project, name, number):
    """The step that names it is refused, and nothing of it is kept."""
    again = {}
    if number > 1:
        first = await bench.step(name, 1, relevant_files=paths(project, "a.py"))
        again = {"continuation_id": first["continuation_id"]}
    kept = {thread: len(steps) for thread, steps in bench.store._steps.items()}
    with pytest.raises(NotFoundError, match=r"gone\.py") as fault:
        await bench.step(name, number, relevant_files=paths(project, "a.py", "gone.py"), **again)

    assert "relevant_files" == fault.value.details["field"]
    assert kept == {thread: len(steps) for thread, steps in bench.store._steps.items()}
    assert not bench.gateway.requests


async def test_what_was_found_readable_is_not_looked_at_again(bench, project, monkeypatch):
    """When the call came its paths were looked at: a step keeps what was found, and asks no disk."""

    async def look(*_given):
        pytest.fail("the disk was asked again")

    monkeypatch.setattr("exai_trio.tools.workflow.steps.named_files.look", look)
    (project / "link.py").symlink_to(project / "a.py")
    given, found = paths(project, "link.py", "b.py"), paths(project, "a.py", "b.py")
    bench.caller.found = Found(dict(zip(given, found, strict=True)))
    said = await bench.step("debug", 1, 2, relevant_files=given)

    assert found == said["file_context"]["files"]


async def test_what_was_not_found_readable_yet_is_looked_at(bench, project):
    """One path of which nothing is known, and the disk is asked: of a directory, or where it was too slow before."""
    bench.caller.found = Found({str(project / "a.py"): str(project / "a.py")})
    said = await bench.step("debug", 1, 2, relevant_files=[str(project)])

    assert paths(project, "a.py", "b.py") == said["file_context"]["files"]
    with pytest.raises(NotFoundError, match=r"gone\.py"):
        await bench.step("debug", 1, 2, relevant_files=paths(project, "a.py", "gone.py"))


def test_a_change_may_name_what_it_deletes():
    """precommit is about changes, and a deleted file is one."""
    tool = next(tool for tool in BUILT_IN if tool.name == "precommit")

    assert "inside" == tool.paths["relevant_files"]


@pytest.mark.parametrize("name", [*NEEDS_FILES, "debug", "tracer"])
async def test_a_file_that_was_there_may_be_gone_at_a_later_step(bench, project, name):
    """What an earlier step named may be named again, although it is deleted by now."""
    both = paths(project, "a.py", "b.py")
    first = await bench.step(name, 1, 2, relevant_files=both)
    (project / "a.py").unlink()
    last = await bench.step(
        name, 2, 2, relevant_files=both, continuation_id=first["continuation_id"]
    )

    assert 2 == last["step_number"]
    if name != "tracer":
        assert f"[file {both[0]}: deleted since it was given]" in question(bench)
        assert "return 2" in question(bench)


@pytest.mark.parametrize("name", NEEDS_FILES)
@pytest.mark.parametrize("why", ["deleted", "binary", "too large"])
async def test_nobody_judges_what_nobody_can_show(bench, project, name, why):
    """If none of the named files can be shown no model is asked; the step may be sent again with others."""
    file = project / "a.py"
    first = await bench.step(name, 1, 2, relevant_files=[str(file)])
    again = first["continuation_id"]
    if why == "deleted":
        file.unlink()
    else:
        file.write_bytes(b"\0" if why == "binary" else b"x = 1\n" * 200_000)
    held = await bench.step(name, 2, 2, continuation_id=again)
    jsonschema.validate(held, SCHEMAS[name])

    assert (REQUIRED, True) == (held["status"], held["next_step_required"])
    assert str(file) in held["next_steps"]
    assert (name, 2) == (held["next_call"]["tool"], held["next_call"]["arguments"]["step_number"])
    assert f"complete_{name}" not in held
    assert not bench.gateway.requests

    last = await bench.step(
        name, 2, 2, continuation_id=again, relevant_files=paths(project, "b.py")
    )
    assert "expert_analysis" in last
    assert "return 2" in question(bench)


@pytest.mark.parametrize("name", NEEDS_FILES)
async def test_an_agent_may_end_without_an_expert(bench, project, name):
    """Whoever has no files left ends with its own judgement, as the answer says."""
    first = await bench.step(name, 1, 2, relevant_files=paths(project, "a.py"))
    (project / "a.py").unlink()
    again = {"continuation_id": first["continuation_id"]}
    last = await bench.step(name, 2, 2, use_assistant_model=False, **again)

    assert "local_work_complete" == last["status"]


@pytest.mark.parametrize("name", [name for name in WITH_FILES if name in {*NEEDS_FILES, "debug"}])
async def test_a_deleted_file_in_a_second_question_has_a_note(bench, project, name):
    """A file that an earlier question showed and that is gone is not "shown above": nothing of it is."""
    both = paths(project, "a.py", "b.py")
    first = await bench.step(name, 1, 1, relevant_files=both)
    (project / "a.py").unlink()
    await bench.step(name, 1, 1, relevant_files=both, continuation_id=first["continuation_id"])

    assert f"[file {both[0]}: deleted since it was given]" in question(bench)
    assert f"[file {both[0]}: shown above]" not in question(bench)
    assert f"[file {both[1]}: shown above]" in question(bench)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_listed_workflow_says_who_investigates(name):
    """Between the steps it is the agent that works."""
    tool = next(tool for tool in BUILT_IN if tool.name == name)

    assert "you investigate" in listed(tool, short=True)["description"]
    assert "between steps" in listed(tool, short=True)["description"]


@pytest.mark.parametrize("short", [True, False])
def test_confidence_has_its_values_in_every_list(short):
    """What an agent chooses at each step it can choose without being refused first."""
    found = {
        tool.name: listed(tool, short=short)["inputSchema"]["properties"]["confidence"].get("enum")
        for tool in BUILT_IN
        if "confidence" in listed(tool, short=short)["inputSchema"]["properties"]
    }

    assert {*NEEDS_FILES, "analyze", "debug", "refactor", "thinkdeep", "precommit"} <= set(found)
    assert all(len(values or ()) == 7 for values in found.values())


async def test_paths_are_checked_while_the_conversation_is_asked_for(bench, project, monkeypatch):
    """A store far away delays a step no more than its files do."""
    first = await bench.step("debug", 1, relevant_files=paths(project, "a.py"))
    begun, check, load = trio.Event(), upload_source.check, MemoryStore.load

    def checking(*given):
        trio.from_thread.run_sync(begun.set)
        return check(*given)

    async def loading(*given):
        await begun.wait()
        return await load(*given)

    monkeypatch.setattr(upload_source, "check", checking)
    monkeypatch.setattr(MemoryStore, "load", loading)
    again = first["continuation_id"]
    with trio.fail_after(10):
        second = await bench.step("debug", 2, relevant_files=paths(project, "b.py"), continuation_id=again)  # fmt: skip

    assert 2 == second["step_number"]
