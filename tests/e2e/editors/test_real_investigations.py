"""Workflow tools on code that nobody wrote for the purpose: this repository's, and trio's from site-packages."""

from pathlib import Path

import jsonschema
import pytest
import trio

pytestmark = pytest.mark.real

REPOSITORY = Path(__file__).resolve().parents[3]
GATEWAY = REPOSITORY / "exai_trio" / "providers" / "gateway.py"
TRIO = Path(trio.__file__).resolve().parent


def place_of(new_place, *roots, **settings):
    allowed = ":".join(map(str, roots))
    return new_place(simulate=True, http=True, EXAI_ALLOWED_ROOTS=allowed, **settings)


@pytest.fixture(scope="module")
def reader(new_place, start_for_module):
    """A daemon that may read this repository and trio's trio."""
    return start_for_module(place_of(new_place, REPOSITORY, TRIO))


async def step(one, name, number, total, **arguments):
    """A step; what the editor is given as data."""
    result = await one.call(
        name,
        **{
            "step": f"Step {number} of the work.",
            "step_number": number,
            "total_steps": total,
            "next_step_required": number < total,
            "findings": f"FOUND-{number}",
            **arguments,
        },
    )
    assert not result.is_error, result.content
    return result.structured_content


def text_of(request):
    """All that was asked; the simulator's answers repeat parts of it."""
    asked = [m for m in request["body"]["messages"] if m["role"] != "assistant"]
    return "\n".join(str(message["content"]) for message in asked)


async def test_a_review_of_a_real_module_in_four_steps_over_a_restart(new_place, start, editor):
    """Four steps with a new daemon in the middle: one request, with all findings and the module once; answers fit their schema."""
    place = place_of(new_place, REPOSITORY, TRIO)
    async with editor(place) as one:
        first_daemon = start(place)
        tools = {tool.name: tool for tool in (await one.client.list_tools()).tools}
        said = [await step(one, "codereview", 1, 4, relevant_files=[str(GATEWAY)])]
        again = {"continuation_id": said[0]["continuation_id"]}
        said.append(await step(one, "codereview", 2, 4, **again))
        first_daemon.end()
        daemon = start(place)
        issue = {"severity": "low", "description": "a long module"}
        said.append(await step(one, "codereview", 3, 4, issues_found=[issue], **again))
        said.append(await step(one, "codereview", 4, 4, **again))
    (request,) = await daemon.requests()

    assert ["pause_for_codereview"] * 3 + ["code_review_complete"] == [s["status"] for s in said]
    for each in said:
        jsonschema.validate(each, tools["codereview"].output_schema)
    assert [1] * 4 == [text_of(request).count(f"FOUND-{number}") for number in range(1, 5)]
    assert text_of(request).count("class Gateway:") == 1
    assert said[-1]["metadata"]["simulated"] is True


async def test_a_debug_thread_handed_from_chat(reader, editor):
    """A chat about a real file, then debug on the same thread: the expert sees both, and the prompts begin alike."""
    since = await reader.last_request()
    async with editor(reader.place) as one:
        asked = await one.call("chat", prompt="WHY-SLOW?", files=[str(TRIO / "_sync.py")])
        again = asked.structured_content["continuation_offer"]["continuation_id"]
        last = await step(one, "debug", 1, 1, hypothesis="the lock", continuation_id=again)
    chat, debug = await reader.requests(since)

    assert last["status"] == "investigation_complete"
    assert chat["body"]["messages"] == debug["body"]["messages"][:2]
    assert text_of(debug).count("class CapacityLimiter(") == 1
    assert (1, 1) == (text_of(debug).count("WHY-SLOW?"), text_of(debug).count("FOUND-1"))


async def test_precommit_on_a_real_diff(new_place, start, editor, tmp_path):
    """A copy of a real module under git, changed: the expert gets status and diff, and nothing is written."""
    root = tmp_path.resolve()
    module = root / "backoff.py"
    module.write_bytes((REPOSITORY / "exai_trio/resilience/backoff.py").read_bytes())
    for words in (["init", "-q"], ["add", "."]):
        await trio.run_process(["git", *words], cwd=root)
    with module.open("a") as file:
        file.write("\nNEW_LINE = 1\n")
    before = sorted(p.name for p in (root / ".git").iterdir())
    place = place_of(new_place, root)
    daemon = start(place)
    async with editor(place) as one:
        last = await step(one, "precommit", 1, 1, path=".")
    (request,) = await daemon.requests()

    assert last["status"] == "validation_complete"
    assert "+NEW_LINE = 1" in text_of(request)
    assert before == sorted(p.name for p in (root / ".git").iterdir())


async def test_a_consensus_of_three_models_on_a_real_file(reader, editor):
    """Three models of two providers at once; one that fails is named, the others answer."""
    since = await reader.last_request()
    models = [
        {"model": "glm-4.6", "stance": "for"},
        {"model": "kimi-k2.6", "stance": "against"},
        {"model": "glm-4.5-flash"},
    ]
    async with editor(reader.place) as one:
        last = await step(
            one, "consensus", 1, 1, models=models, relevant_files=[str(TRIO / "_util.py")]
        )
    requests = await reader.requests(since)
    heard = last["expert_analysis"]["responses"]

    assert last["status"] == "consensus_workflow_complete"
    assert ["answered"] * 3 == [each["status"] for each in heard]
    assert {"glm-4.6", "kimi-k2.6", "glm-4.5-flash"} == {r["body"]["model"] for r in requests}
    assert [1] * 3 == [text_of(request).count("class ConflictDetector") for request in requests]
    assert not any("FOUND-1" in text_of(request) for request in requests)
    assert last["expert_analysis"]["comparison"]["verdicts"]


async def test_a_failing_expert_is_an_error_that_keeps_the_findings(reader, editor):
    """An answer cut at the output limit is an error for the editor, with the id to go on."""
    problem = "What is wrong? [[simulate: finish=length]]"
    async with editor(reader.place) as one:
        result = await one.call(
            "debug",
            step=problem,
            step_number=1,
            total_steps=1,
            next_step_required=False,
            findings="x",
        )

    assert result.is_error
    assert "Your findings are kept" in result.content[0].text


async def test_tracing_a_real_package(reader, editor):
    """The call flow of trio's own module, without any model."""
    since = await reader.last_request()
    async with editor(reader.place) as one:
        last = await step(
            one,
            "tracer",
            1,
            1,
            trace_mode="precision",
            target_description="open_tcp_stream",
            relevant_files=[str(TRIO / "_highlevel_open_tcp_stream.py")],
        )
    flow = last["complete_tracer"]["call_flow"]

    assert "open_tcp_stream" in [each["name"] for each in flow["definitions"]]
    assert not await reader.requests(since)
