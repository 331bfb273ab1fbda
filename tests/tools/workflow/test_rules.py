"""The rules that every workflow tool keeps, one after another."""

import json
import uuid

import attrs
import jsonschema
import pytest
import trio

from exai_trio.errors import (
    ArgumentError,
    BadAnswerError,
    CallTimeoutError,
    NotFoundError,
    ProviderBusyError,
    ServiceUnavailableError,
    StorageError,
)
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.tools.registry import BUILT_IN, listed
from exai_trio.tools.statuses import Status

WORKFLOWS = [tool for tool in BUILT_IN if tool.kind == "workflow"]
NAMES = [tool.name for tool in WORKFLOWS]
SCHEMAS = {tool.name: tool.output_schema for tool in WORKFLOWS}
ASKS_EXPERT = ["analyze", "debug", "codereview", "refactor", "secaudit", "testgen", "thinkdeep"]
NEEDS_FILES = ["codereview", "secaudit", "testgen"]
ASKS_NOBODY = ["planner", "tracer", "docgen"]
DONE = {
    "analyze": "analysis_complete",
    "debug": "investigation_complete",
    "codereview": "code_review_complete",
    "refactor": "analysis_complete",
    "secaudit": "analysis_complete",
    "testgen": "analysis_complete",
    "thinkdeep": "thinkdeep_complete",
    "planner": "planning_complete",
    "tracer": "analysis_complete",
    "docgen": "documentation_analysis_complete",
    "consensus": "consensus_workflow_complete",
}
# precommit needs a repository; its tests are elsewhere.
HERE = list(DONE)


def taken(name):
    """The arguments that a tool takes."""
    tool = next(tool for tool in WORKFLOWS if tool.name == name)
    return {field.name for field in attrs.fields(tool.arguments)}


@pytest.fixture
def project(tmp_path, bench):
    """A root with two files that the caller may name."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "a.py").write_text("def a():\n    return 1\n")
    (root / "b.py").write_text("def b():\n    return a()\n")
    return root


def said_to_model(bench):
    """All text of the one request."""
    (request,) = bench.gateway.requests
    return "\n".join(message.text for message in request.messages)


def files_of(name, project):
    return {"relevant_files": [str(project / "a.py")]} if name in NEEDS_FILES else {}


@pytest.mark.real
@pytest.mark.parametrize("name", HERE)
async def test_an_investigation_from_first_to_last_step(bench, project, name):
    """Pause, pause, done: one shape, one id, statuses of the schema, the next call ready to be sent."""
    first = await bench.step(name, 1, **files_of(name, project))
    again = first["continuation_id"]
    second = await bench.step(name, 2, continuation_id=again)
    last = await bench.step(name, 3, continuation_id=again)

    assert [f"pause_for_{name}"] * 2 + [DONE[name]] == [s["status"] for s in (first, second, last)]
    assert [(1, 3, True), (2, 3, True), (3, 3, False)] == [
        (s["step_number"], s["total_steps"], s["next_step_required"]) for s in (first, second, last)
    ]
    assert uuid.UUID(again).version == 4
    assert {again} == {s["continuation_id"] for s in (first, second, last)}
    assert ("expert_analysis" in last) == (name not in ASKS_NOBODY)
    assert f"complete_{name}" in last
    assert first["required_actions"]
    for said in (first, second, last):
        jsonschema.validate(said, SCHEMAS[name])
        assert said["next_steps"]
        assert said["metadata"]["tool_name"] == name
        assert {
            "files_checked",
            "relevant_files",
            "relevant_context",
            "issues_found",
            "current_confidence",
        } < said[f"{name}_status"].keys()
    assert (name, 3, 3, False, again) == (
        second["next_call"]["tool"],
        *[
            second["next_call"]["arguments"][key]
            for key in ("step_number", "total_steps", "next_step_required", "continuation_id")
        ],
    )
    bench.gateway.requests.clear()
    await bench.call(name, **first["next_call"]["arguments"])


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_lists_the_statuses_of_the_tool(name):
    """Each tool has one enum of statuses: its pause, its end, and what else it can say."""
    statuses = SCHEMAS[name]["properties"]["status"]["enum"]

    assert f"pause_for_{name}" in statuses
    assert DONE.get(name, "validation_complete") in statuses
    assert ("files_required_to_continue" in statuses) == (name in NEEDS_FILES)
    assert ("mode_selection_required" in statuses) == (name == "tracer")
    assert ("local_work_complete" in statuses) == (name in [*ASKS_EXPERT, "precommit"])


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_all_statuses_are_of_one_enum(tool):
    """Each tool's schema lists members of the one enum; the full list adds the handle's, the short one keeps a workflow's."""
    own = tool.output_schema["properties"]["status"]["enum"]
    full, short = (listed(tool, short=flag)["outputSchema"] for flag in (False, True))
    whole = [*own, *(["running"] if "running" not in own else [])]

    assert set(own) <= set(Status)
    assert whole == full["properties"]["status"]["enum"]
    assert ["status"] == full["required"]
    if tool.kind == "workflow":
        assert whole == short["properties"]["status"]["enum"]


def test_every_status_is_of_a_tool():
    """The enum holds nothing that no tool says; result can be any tool's answer."""
    said = {
        status
        for tool in BUILT_IN
        if tool.name != "result"
        for status in tool.output_schema["properties"]["status"]["enum"]
    }
    result = next(tool for tool in BUILT_IN if tool.name == "result")

    assert said | {"running"} == set(Status)
    assert set(result.output_schema["properties"]["status"]["enum"]) == set(Status)


async def test_text_and_structured_content_are_one_object(bench):
    """The answer's text is the JSON of its structured content."""
    answer = await bench.call(
        "planner", step="x", step_number=1, total_steps=2, next_step_required=True
    )

    assert json.loads(answer.text) == answer.structured


@pytest.mark.parametrize(
    ("name", "field", "most"),
    [(name, "step", 100_000) for name in HERE]
    + [(name, "findings", 50_000) for name in HERE if "findings" in taken(name)],
)
async def test_too_long_texts_are_refused(bench, name, field, most):
    """One character over the limit is a VALIDATION_ERROR naming field and limit, and nothing is kept; at the limit it passes."""
    with pytest.raises(ArgumentError, match=f"{most:,}") as fault:
        await bench.step(name, **{field: "x" * (most + 1)})
    said = await bench.step(name, **{field: "x" * most})

    assert fault.value.code == "VALIDATION_ERROR"
    assert fault.value.details["field"] == field
    assert len(bench.store._steps) == 1
    assert said["status"] in {f"pause_for_{name}", "files_required_to_continue"}


@pytest.mark.parametrize("name", [name for name in HERE if name not in NEEDS_FILES])
async def test_a_number_above_the_total_raises_it(bench, name):
    """Step 5 of 3 is step 5 of 5, and the answer says so."""
    said = await bench.step(name, 5, 3, next_step_required=True)

    assert (5, 5) == (said["step_number"], said["total_steps"])
    assert "step_number 5 is above total_steps 3" in said["next_steps"]
    assert said["next_call"]["arguments"]["total_steps"] == 6


@pytest.mark.real
async def test_a_text_where_a_list_is_meant_is_a_list_of_one(bench, project):
    """Paths, names and issues that come as plain text are taken, none dropped."""
    said = await bench.step(
        "debug",
        files_checked="/x/one.py",
        relevant_files=str(project / "a.py"),
        relevant_context="A.b",
        issues_found="the lock is never released",
    )
    await bench.step("debug", 2, 2, continuation_id=said["continuation_id"])

    assert {
        "files_checked": 1,
        "relevant_files": 1,
        "relevant_context": 1,
        "issues_found": 1,
    }.items() <= (said["debug_status"].items())
    assert "- the lock is never released" in said_to_model(bench)


@pytest.mark.parametrize("name", NEEDS_FILES)
@pytest.mark.parametrize("total", [1, 3])
async def test_missing_files_are_asked_for(bench, name, total):
    """Step 1 without relevant_files is answered with what to send, also if it is the last step; no model is asked."""
    said = await bench.step(name, 1, total)

    assert said["status"] == "files_required_to_continue"
    assert said["next_call"]["arguments"]["relevant_files"]
    assert said["next_call"]["arguments"]["step_number"] == 1
    assert said["required_actions"]
    assert not bench.gateway.requests


@pytest.mark.real
async def test_after_files_were_asked_for_step_1_is_sent_again(bench, project):
    """The same id with the files goes on; the investigation has one step 1."""
    asked = await bench.step("codereview")
    said = await bench.step(
        "codereview",
        continuation_id=asked["continuation_id"],
        relevant_files=[str(project / "a.py")],
    )

    assert said["status"] == "pause_for_codereview"
    assert (1, 1) == (
        said["codereview_status"]["steps_noted"],
        said["codereview_status"]["steps_replaced"],
    )


@pytest.mark.real
@pytest.mark.parametrize("name", ASKS_EXPERT)
@pytest.mark.parametrize("how", [{"confidence": "certain"}, {"use_assistant_model": False}])
async def test_certainty_asks_no_model(bench, project, name, how):
    """Certain, or told not to ask: the work is complete, the status says that no model was asked."""
    said = await bench.step(name, 1, 1, **how, **files_of(name, project))

    assert said["status"] == "local_work_complete"
    assert not bench.gateway.requests
    assert "expert_analysis" not in said
    assert said[f"complete_{name}"]["work_summary"] == "found something"


async def test_the_answer_says_which_confidences_there_are(bench):
    """The short tool list does not; the pause does, for every tool that asks an expert."""
    expert, plan = (await bench.step("debug"), await bench.step("planner"))

    assert (
        "exploring, low, medium, high, very_high, almost_certain, certain"
        in (expert["required_actions"][-1])
    )
    assert "confidence" not in str(plan["required_actions"])


@pytest.mark.parametrize("confidence", ["very_high", "almost_certain"])
async def test_anything_less_than_certain_asks(bench, confidence):
    """Nearly certain is not certain."""
    said = await bench.step("debug", 1, 1, confidence=confidence)

    assert said["status"] == "investigation_complete"
    assert len(bench.gateway.requests) == 1


@pytest.mark.real
@pytest.mark.parametrize("name", ASKS_EXPERT)
async def test_the_expert_is_asked_once_with_everything(bench, project, name):
    """One request at the last step: problem, every step, all findings, what was found, each file's newest content, each once."""
    files = [str(project / "a.py"), str(project / "b.py")]
    first = await bench.step(name, 1, step="THE-PROBLEM", findings="F-ONE", relevant_files=files)
    again = first["continuation_id"]
    await bench.step(
        name,
        2,
        step="S-TWO",
        findings="F-TWO",
        relevant_files=files[:1],
        issues_found=[{"severity": "high", "description": "I-ONE", "line": 3}],
        relevant_context=["C.one"],
        continuation_id=again,
        **({"hypothesis": "H-ONE"} if "hypothesis" in taken(name) else {}),
    )
    none_yet = len(bench.gateway.requests)
    (project / "a.py").write_text("NEWEST\n")
    last = await bench.step(name, 3, step="S-THREE", findings="F-THREE", continuation_id=again)
    said = said_to_model(bench)

    assert none_yet == 0
    texts = [
        "THE-PROBLEM",
        "S-TWO",
        "S-THREE",
        "F-ONE",
        "F-TWO",
        "F-THREE",
        "NEWEST",
        "I-ONE",
        "C.one",
    ]
    assert dict.fromkeys(texts, 1) == {text: said.count(text) for text in texts}
    assert "return 1" not in said
    assert said.count("return a()") == 1
    assert '- [high] I-ONE {"line": 3}' in said
    assert said.count("H-ONE") == ("hypothesis" in taken(name))
    assert last["expert_analysis"]["content"] == "the answer"
    assert last["file_context"] == {"type": "fully_embedded", "files": files}
    assert last["usage"] == {
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_tokens": 64,
        "cost_usd": 0.001,
        "currency": "USD",
    }
    assert last["metadata"]["model_used"] == bench.gateway.requests[0].model
    assert last["metadata"]["provider_used"] == "glm"


@pytest.mark.real
async def test_intermediate_steps_name_files_only(bench, project):
    """Between the steps files are named, not read into the answer, and no model is asked."""
    said = await bench.step("debug", relevant_files=[str(project / "a.py")])

    assert said["file_context"] == {"type": "reference_only", "files": [str(project / "a.py")]}
    assert "return 1" not in json.dumps(said)


@pytest.mark.real
async def test_a_directory_stands_for_its_files(bench, project):
    """A directory is noted as the files in it; each reaches the expert once."""
    said = await bench.step("debug", 1, 2, relevant_files=[str(project), str(project / "a.py")])
    await bench.step("debug", 2, 2, continuation_id=said["continuation_id"])

    assert said["file_context"]["files"] == [str(project / "a.py"), str(project / "b.py")]
    assert said_to_model(bench).count("return 1") == 1


@pytest.mark.real
async def test_files_that_do_not_fit_stay_named(bench, project):
    """What the model's context has no room for is named to the model and to the agent."""
    (project / "large.py").write_text("x = 1\n" * 60_000)
    files = [str(project / name) for name in ("a.py", "large.py")]
    last = await bench.step("debug", 1, 1, relevant_files=files, model="glm-4.5v")

    assert list(last["file_context"]["not_embedded"]) == files[1:]
    assert said_to_model(bench).count("x = 1") == 0


@pytest.mark.real
async def test_files_that_could_not_be_shown_are_named_with_the_reason(bench, project):
    """Binary and deleted files are named to the model and to the agent; the others count as embedded."""
    (project / "c.bin").write_bytes(b"\0")
    (project / "gone.py").write_text("x = 1\n")
    files = [str(project / name) for name in ("a.py", "c.bin", "gone.py")]
    first = await bench.step("debug", 1, 2, relevant_files=files)
    (project / "gone.py").unlink()
    last = await bench.step("debug", 2, 2, continuation_id=first["continuation_id"])

    assert last["file_context"]["files"] == files[:1]
    assert list(last["file_context"]["not_embedded"]) == files[1:]
    assert "[file " + files[1] in said_to_model(bench)


@pytest.mark.real
@pytest.mark.parametrize("field", ["relevant_files", "images"])
@pytest.mark.parametrize("path", ["a.py", "/etc/passwd", "{root}/../x", "{root}/link"])
async def test_paths_outside_the_roots_are_refused_at_any_step(bench, project, field, path):
    """A path that is relative or leads outside is refused at once, names the setting, and the step is not kept."""
    (project / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArgumentError, match="EXAI_ALLOWED_ROOTS") as fault:
        await bench.step("debug", **{field: [path.format(root=project)]})

    assert fault.value.details["field"] == field
    assert not bench.store._steps


FAULTS = [
    (ProviderBusyError("The provider is busy."), {}),
    (None, {"text": "  \n"}),
    (None, {"text": "half an answ", "finish_reason": "length"}),
]


@pytest.mark.parametrize(("fault", "answer"), FAULTS, ids=["failed", "empty", "cut"])
async def test_a_bad_answer_is_an_error_and_keeps_the_findings(bench, fault, answer):
    """A failed, empty or cut answer fails the call, says how to go on, and the same step asks again with everything."""
    again = (await bench.step("debug", 1, 2, findings="F-ONE"))["continuation_id"]
    bench.gateway.fault, bench.gateway.answer = fault, answer
    with pytest.raises((ProviderBusyError, BadAnswerError), match="findings are kept") as failed:
        await bench.step("debug", 2, 2, continuation_id=again, findings="F-TWO")
    bench.gateway.fault, bench.gateway.answer = None, {}
    bench.gateway.requests.clear()
    last = await bench.step("debug", 2, 2, continuation_id=again, findings="F-TWO")

    assert failed.value.details["continuation_id"] == again
    assert last["status"] == "investigation_complete"
    assert (1, 1) == (said_to_model(bench).count("F-ONE"), said_to_model(bench).count("F-TWO"))


async def test_a_silent_expert_ends_at_its_own_deadline(bench, autojump_clock):
    """EXPERT_ANALYSIS_TIMEOUT_SECS ends the question, as a TIMEOUT that names it, with the findings kept."""
    bench.config = attrs.evolve(bench.config, expert_analysis_timeout_secs=7.0)

    bench.gateway.slow["glm-4.5-flash"] = 1000
    with pytest.raises(CallTimeoutError, match="EXPERT_ANALYSIS_TIMEOUT_SECS") as fault:
        await bench.step("debug", 1, 1)

    assert trio.current_time() < 8
    assert fault.value.details["findings_kept"] is True


@pytest.mark.parametrize("confidence", ["exploring", "low"])
async def test_stagnation_is_said(bench, confidence):
    """Three steps with the same low confidence: the third answer says so and offers to stop."""
    said, again = [], ""
    for number in (1, 2, 3):
        said.append(
            await bench.step("debug", number, 9, confidence=confidence, continuation_id=again)
        )
        again = said[0]["continuation_id"]

    assert [False, False, True] == ["stagnation" in each["metadata"] for each in said]
    assert "does not get on" in said[2]["next_steps"]
    assert "next_step_required false" in said[2]["next_steps"]


async def test_growing_confidence_is_no_stagnation(bench):
    """Low, low, medium gets on."""
    again = ""
    for number, confidence in enumerate(["low", "low", "medium"], start=1):
        said = await bench.step("debug", number, 9, confidence=confidence, continuation_id=again)
        again = said["continuation_id"]

    assert "stagnation" not in said["metadata"]


async def test_a_step_given_twice_replaces_the_first(bench):
    """The same number again takes its place; the expert sees the newer only; the older stays in the store."""
    again = (await bench.step("debug", 1, findings="F-ONE"))["continuation_id"]
    await bench.step("debug", 2, findings="OLDER", continuation_id=again)
    said = await bench.step("debug", 2, findings="NEWER", continuation_id=again)
    await bench.step("debug", 3, findings="F-THREE", continuation_id=again)

    assert (2, 1) == (said["debug_status"]["steps_noted"], said["debug_status"]["steps_replaced"])
    assert ("NEWER" in said_to_model(bench), "OLDER" in said_to_model(bench)) == (True, False)
    assert "OLDER" in str(bench.store._steps)


async def test_a_backtrack_leaves_later_steps_behind(bench):
    """backtrack_from_step 2 takes steps 2 and after out of what the expert sees."""
    again = (await bench.step("debug", 1, 4, findings="F-ONE"))["continuation_id"]
    await bench.step("debug", 2, 4, findings="WRONG-TWO", continuation_id=again)
    await bench.step("debug", 3, 4, findings="WRONG-THREE", continuation_id=again)
    await bench.step("debug", 4, 4, findings="F-FOUR", backtrack_from_step=2, continuation_id=again)
    said = said_to_model(bench)

    assert [1, 0, 0, 1] == [
        said.count(text) for text in ("F-ONE", "WRONG-TWO", "WRONG-THREE", "F-FOUR")
    ]


async def test_unrelated_investigations_do_not_mix(bench):
    """Many investigations at once, with steps interleaved: each expert sees its own steps and no other's."""
    ids = {}

    async def investigate(number):
        again = ""
        for step in (1, 2, 3):
            said = await bench.step(
                "debug", step, findings=f"<{number}:{step}>", continuation_id=again
            )
            again = said["continuation_id"]
        ids[number] = again

    async with trio.open_nursery() as working:
        for number in range(20):
            working.start_soon(investigate, number)
    prompts = {request.cache_key: request.messages[-1].text for request in bench.gateway.requests}

    assert len(set(ids.values())) == len(prompts) == 20
    for number, again in ids.items():
        found = {other for other in range(20) if f"<{other}:" in prompts[again]}
        assert found == {number}


@pytest.mark.real
async def test_steps_of_one_investigation_at_the_same_time_are_all_kept(bench, tmp_path):
    """Steps that come at once to one continuation, from two windows perhaps: none is lost."""
    async with open_sqlite(tmp_path / "exai.db") as bench.store:
        again = (await bench.step("debug", 1, 9, findings="<1>"))["continuation_id"]
        async with trio.open_nursery() as working:
            for number in range(2, 9):
                working.start_soon(
                    _step, bench, number, {"continuation_id": again, "findings": f"<{number}>"}
                )
        await bench.step("debug", 9, 9, findings="<9>", continuation_id=again)

    assert [1] * 9 == [said_to_model(bench).count(f"<{number}>") for number in range(1, 10)]


async def _step(bench, number, arguments):
    await bench.step("debug", number, 9, **arguments)


@pytest.mark.real
async def test_a_restart_between_steps_loses_nothing(bench, tmp_path):
    """A new store on the same file goes on where the old one was."""
    async with open_sqlite(tmp_path / "exai.db") as bench.store:
        again = (await bench.step("debug", 1, 2, findings="F-ONE"))["continuation_id"]
    async with open_sqlite(tmp_path / "exai.db") as bench.store:
        await bench.step("debug", 2, 2, findings="F-TWO", continuation_id=again)

    assert (1, 1) == (said_to_model(bench).count("F-ONE"), said_to_model(bench).count("F-TWO"))


async def test_a_conversation_hands_over_to_a_workflow_and_back(bench):
    """A debug thread handed from chat has its history; the chat after it sees the investigation and the expert's answer."""
    begun = await bench.say("CHAT-QUESTION", model="kimi-k2.6")
    again = begun["continuation_offer"]["continuation_id"]
    await bench.step("debug", 1, 2, findings="F-ONE", continuation_id=again)
    bench.gateway.answer = {"text": "EXPERT-SAYS"}
    await bench.step("debug", 2, 2, findings="F-TWO", continuation_id=again)
    await bench.say("and now?", continuation_id=again)
    expert, chat = bench.gateway.requests[1:]

    assert ["system", "user", "assistant", "user"] == [m.role for m in expert.messages]
    assert "CHAT-QUESTION" in expert.messages[1].text
    assert expert.model == "kimi-k2.6"
    assert ["system", *["user", "assistant"] * 2, "user"] == [m.role for m in chat.messages]
    assert "F-ONE" in chat.messages[3].text
    assert "EXPERT-SAYS" in chat.messages[4].text
    assert expert.messages == chat.messages[:4]


async def test_a_chat_in_the_middle_sees_the_steps_so_far(bench):
    """While an investigation goes on, another tool on the thread sees its notes once, and the investigation sees the chat."""
    again = (await bench.step("debug", 1, 2, findings="F-ONE"))["continuation_id"]
    await bench.say("CHAT-QUESTION", continuation_id=again)
    await bench.step("debug", 2, 2, findings="F-TWO", continuation_id=again)
    chat, expert = bench.gateway.requests
    seen, asked = (
        "\n".join(message.text for message in request.messages) for request in (chat, expert)
    )

    assert (1, 0) == (seen.count("F-ONE"), seen.count("F-TWO"))
    assert ["system", "user", "assistant", "user"] == [message.role for message in chat.messages]
    assert (1, 1, 1) == tuple(asked.count(text) for text in ("F-ONE", "F-TWO", "CHAT-QUESTION"))


async def test_another_tool_on_the_thread_begins_its_own_work(bench):
    """Two workflow tools on one thread keep their own steps; the later sees the earlier one's result."""
    again = (await bench.step("debug", 1, 1, findings="F-DEBUG"))["continuation_id"]
    said = await bench.step("analyze", 1, 1, findings="F-ANALYZE", continuation_id=again)
    text = "\n".join(message.text for message in bench.gateway.requests[1].messages)

    assert said["analyze_status"]["steps_noted"] == 1
    assert (1, 1) == (text.count("F-DEBUG"), text.count("F-ANALYZE"))


async def test_two_open_investigations_on_one_thread_keep_their_own_steps(bench):
    """Interleaved steps of two tools under one id count for their own tool only."""
    again = (await bench.step("debug", 1, 2))["continuation_id"]
    analyze = await bench.step("analyze", 1, 2, continuation_id=again)
    debug = await bench.step("debug", 2, 3, continuation_id=again)

    assert (1, 2) == (
        analyze["analyze_status"]["steps_noted"],
        debug["debug_status"]["steps_noted"],
    )
    assert debug["debug_status"]["steps_replaced"] == 0


async def test_after_the_end_step_1_begins_anew(bench):
    """The same tool again on the same thread: a new investigation, the old one as history of the conversation."""
    again = (await bench.step("debug", 1, 1, findings="F-OLD"))["continuation_id"]
    said = await bench.step("debug", 1, 2, findings="F-NEW", continuation_id=again)

    assert (1, 1) == (said["debug_status"]["steps_noted"], said["debug_status"]["steps_replaced"])


@pytest.mark.parametrize("name", ["debug", "planner", "consensus"])
async def test_an_unknown_continuation_is_refused(bench, name):
    """A continuation_id that nobody has is NOT_FOUND with a remedy, not a new investigation."""
    with pytest.raises(NotFoundError, match="Leave continuation_id out"):
        await bench.step(name, 2, continuation_id=str(uuid.uuid4()))


@pytest.mark.parametrize("name", [n for n in NAMES if "model" in taken(n)])
async def test_an_unknown_model_is_refused_at_the_first_step(bench, name):
    """A misspelt model is NOT_FOUND with near names at once, not after the work is done."""
    with pytest.raises(NotFoundError, match="kimi-k2") as fault:
        await bench.step(name, 1, model="kimmi-k2.6")

    assert fault.value.code == "NOT_FOUND"
    assert not bench.store._steps


async def test_a_model_named_once_stays(bench):
    """The model of step 1 is the one that is asked at the end; the next investigation asks it again."""
    again = (await bench.step("debug", 1, 2, model="kimi-k2.6"))["continuation_id"]
    last = await bench.step("debug", 2, 2, continuation_id=again)
    await bench.step("analyze", 1, 1, continuation_id=again)

    assert ["kimi-k2.6", "kimi-k2.6"] == [request.model for request in bench.gateway.requests]
    assert last["metadata"]["model_used"] == "kimi-k2.6"


async def test_a_named_model_that_cannot_answer_is_not_replaced(bench):
    """Without its provider's key, or when it fails, the call fails saying why; no other model is asked."""
    bench.gateway.faults["glm-4.6"] = ProviderBusyError("The provider is busy.")
    with pytest.raises(ProviderBusyError):
        await bench.step("debug", 1, 1, model="glm-4.6")
    asked = [request.model for request in bench.gateway.requests]
    bench.gateway.configured = ("kimi",)
    with pytest.raises(ServiceUnavailableError, match="GLM_API_KEY"):
        await bench.step("debug", 1, 1, model="glm-4.6")

    assert ["glm-4.6"] == asked == [request.model for request in bench.gateway.requests]


async def test_a_fallback_is_named(bench):
    """Where the default cannot be asked another one is, and the answer says so."""
    bench.gateway.configured = ("kimi",)
    last = await bench.step("debug", 1, 1)

    assert "was asked instead" in last["metadata"]["notice"]


async def test_without_a_provider_only_the_last_step_fails(bench):
    """Steps are noted without any provider; the last one says what to set and keeps the findings."""
    bench.gateway.configured = ()
    again = (await bench.step("debug", 1, 2))["continuation_id"]
    with pytest.raises(ServiceUnavailableError, match=r"GLM_API_KEY.*KIMI_API_KEY") as fault:
        await bench.step("debug", 2, 2, continuation_id=again)
    assert fault.value.code == "SERVICE_UNAVAILABLE"
    plan = await bench.step("planner", 1, 1)

    assert plan["status"] == "planning_complete"


class FullStore(MemoryStore):
    async def append(self, *args):
        await trio.lowlevel.checkpoint()
        raise StorageError("The disk is full.")


async def test_a_store_that_fails_at_the_end_costs_the_conversation_only(bench):
    """The expert's answer is given even if it could not be kept, and says so."""
    bench.store = FullStore()
    last = await bench.step("debug", 1, 1)

    assert last["expert_analysis"]["content"] == "the answer"
    assert "could not be stored" in last["metadata"]["notice"]


async def test_a_full_conversation_still_ends_its_investigation(bench):
    """The limit of exchanges refuses a new investigation, not the last step of one that goes on."""
    bench.config = attrs.evolve(bench.config, max_conversation_turns=1)
    again = (await bench.step("debug", 1, 2))["continuation_id"]
    await bench.say("in between", continuation_id=again)
    last = await bench.step("debug", 2, 2, continuation_id=again)
    with pytest.raises(ArgumentError, match="MAX_CONVERSATION_TURNS"):
        await bench.step("analyze", 1, 1, continuation_id=again)

    assert last["status"] == "investigation_complete"


async def test_settings_of_the_first_step_count_to_the_end(bench):
    """What only this tool takes is in the prompt, also if later steps leave it out."""
    again = (await bench.step("thinkdeep", 1, 2, problem_context="CONTEXT", focus_areas="speed"))[
        "continuation_id"
    ]
    await bench.step("thinkdeep", 2, 2, continuation_id=again)
    said = said_to_model(bench)

    assert 'problem_context: CONTEXT\nfocus_areas: ["speed"]' in said


@pytest.mark.parametrize(
    ("asked", "level"), [({}, "high"), ({"thinking_mode": "max"}, "max")], ids=["default", "named"]
)
async def test_thinkdeep_turns_thinking_on(bench, asked, level):
    """thinkdeep asks for thinking unless told how much; the others leave it to the model unless told."""
    await bench.step("thinkdeep", 1, 1, **asked)
    await bench.step("debug", 1, 1, **asked)

    assert [level, asked.get("thinking_mode")] == [r.thinking for r in bench.gateway.requests]


async def test_arguments_reach_the_request(bench):
    """Temperature and web search are the caller's; keys are the call's and the conversation's."""
    said = await bench.step("debug", 1, 1, temperature=0.9, use_websearch=False)
    await bench.step("debug", 1, 1)
    own, default = bench.gateway.requests

    assert (0.9, False, "s1:r1", said["continuation_id"]) == (
        own.temperature,
        own.web_search,
        own.idempotency_key,
        own.cache_key,
    )
    assert (0.2, True) == (default.temperature, default.web_search)


async def test_half_characters_of_a_model_do_no_harm(bench):
    """An answer with half a character is given whole, as valid JSON."""
    bench.gateway.answer = {"text": "so \ud83d it is", "notice": "half \ud83d"}
    last = await bench.step("debug", 1, 1)

    assert last["expert_analysis"]["content"] == "so \ufffd it is"


async def test_cancelled_at_every_step_leaves_a_sound_thread(bench, cancel_at_every_step):
    """Wherever a last step is cut, the thread can go on: the step is kept or not, the exchange whole or not there."""
    begun = await bench.step("debug", 1, 2, findings="F-ONE")
    again = begun["continuation_id"]

    async def finish():
        await bench.step("debug", 2, 2, findings="F-TWO", continuation_id=again)

    def check():
        conversation = bench.store._conversations[again]
        assert len(conversation.turns) % 2 == 0

    steps = await cancel_at_every_step(finish, check)

    assert steps > 3
