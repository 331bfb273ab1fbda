"""Workflow tools on code that nobody wrote for the purpose: this repository's, trio's, and C of websockets', from site-packages."""

from pathlib import Path

import jsonschema
import pytest
import trio
import websockets

pytestmark = pytest.mark.real

REPOSITORY = Path(__file__).resolve().parents[3]
GATEWAY = REPOSITORY / "exai_trio" / "providers" / "gateway.py"
BREAKER = REPOSITORY / "exai_trio" / "resilience" / "breaker.py"
TRIO = Path(trio.__file__).resolve().parent
WEBSOCKETS = Path(websockets.__file__).resolve().parent


def place_of(new_place, *roots, **settings):
    allowed = ":".join(map(str, roots))
    return new_place(simulate=True, http=True, EXAI_ALLOWED_ROOTS=allowed, **settings)


@pytest.fixture(scope="module")
def reader(new_place, start_for_module):
    """A daemon that may read this repository, and the packages trio and websockets."""
    return start_for_module(place_of(new_place, REPOSITORY, TRIO, WEBSOCKETS))


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


REVIEWED = {
    "ours": (GATEWAY, "class Gateway:"),
    "trio": (TRIO / "_channel.py", "class MemorySendChannel("),
}


async def test_reviews_of_real_modules_in_four_steps_over_a_restart(new_place, start, editor):
    """Two at once, a new daemon in the middle: one request each, with all its findings, its module once, nothing of the other."""
    place = place_of(new_place, REPOSITORY, TRIO)
    async with editor(place) as one:
        first_daemon = start(place)
        tools = {tool.name: tool for tool in (await one.client.list_tools()).tools}
        said = {name: [await review(one, name, 1)] for name in REVIEWED}
        for name, answers in said.items():
            answers.append(await review(one, name, 2, answers))
        first_daemon.end()
        daemon = start(place)
        for number in (3, 4):
            for name, answers in said.items():
                answers.append(await review(one, name, number, answers))
    requests = await daemon.requests()

    assert 2 == len(requests)
    for (name, (_, code)), request in zip(REVIEWED.items(), requests, strict=True):
        statuses = [each["status"] for each in said[name]]
        assert ["pause_for_codereview"] * 3 + ["code_review_complete"] == statuses
        found = [text_of(request).count(f"{name}-FOUND-{number}") for number in range(1, 5)]
        assert [1] * 4 == found
        assert text_of(request).count(f"a long module in {name}") == 1
        assert [1, 0] == sorted(
            (text_of(request).count(other) for _, other in REVIEWED.values()), reverse=True
        )
        assert text_of(request).count(code) == 1
        assert said[name][-1]["metadata"]["simulated"] is True
        for each in said[name]:
            jsonschema.validate(each, tools["codereview"].output_schema)


async def review(one, name, number, answers=()):
    """A step of a review; the first names the file, the third an issue."""
    more = {"continuation_id": answers[0]["continuation_id"]} if answers else {}
    if number == 1:
        more = {"relevant_files": [str(REVIEWED[name][0])]}
    if number == 3:
        more["issues_found"] = [{"severity": "low", "description": f"a long module in {name}"}]
    return await step(one, "codereview", number, 4, findings=f"{name}-FOUND-{number}", **more)


@pytest.mark.parametrize(
    ("file", "code"),
    [(TRIO / "_sync.py", "class CapacityLimiter("), (BREAKER, "class Breaker:")],
    ids=["trio", "ours"],
)
async def test_a_debug_thread_handed_from_chat(reader, editor, file, code):
    """A chat about a real file, then debug on the same thread: the expert sees both, and the prompts begin alike."""
    since = await reader.last_request()
    async with editor(reader.place) as one:
        asked = await one.call("chat", prompt="WHY-SLOW?", files=[str(file)])
        again = asked.structured_content["continuation_offer"]["continuation_id"]
        last = await step(one, "debug", 1, 1, hypothesis="the lock", continuation_id=again)
    chat, debug = await reader.requests(since)

    assert last["status"] == "investigation_complete"
    assert chat["body"]["messages"] == debug["body"]["messages"][:2]
    assert text_of(debug).count(code) == 1
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


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a git repository")
async def test_precommit_on_the_newest_change_of_this_repository(reader, editor):
    """git runs in the repository itself, against a commit before: the expert is shown what really changed since, file by file."""
    commit = await git("rev-list", "--no-merges", "--max-count=1", "HEAD")
    before = await git("rev-parse", "--verify", "--quiet", f"{commit}~1")
    if not before:
        pytest.skip("the clone has no history")
    if "[[simulate:" in await git("diff", before, "HEAD"):
        pytest.skip("the change holds a directive, which the simulator would obey")
    changed = (await git("diff", "--name-only", before, "HEAD")).splitlines()
    since = await reader.last_request()
    async with editor(reader.place) as one:
        last = await step(
            one,
            "precommit",
            1,
            1,
            path=str(REPOSITORY),
            compare_to=before,
            include_staged=False,
            include_unstaged=False,
        )
    (request,) = await reader.requests(since)

    assert last["status"] == "validation_complete"
    assert changed
    assert f"a/{changed[0]}" in text_of(request)


async def git(*words):
    done = await trio.run_process(
        ["git", "-C", str(REPOSITORY), *words], capture_stdout=True, check=False
    )
    return done.stdout.decode().strip()


async def test_a_consensus_of_three_models_on_real_files(reader, editor):
    """Three models of two providers at once, each shown one file of trio's and one of ours."""
    since = await reader.last_request()
    models = [
        {"model": "glm-4.6", "stance": "for"},
        {"model": "kimi-k2.6", "stance": "against"},
        {"model": "glm-4.5-flash"},
    ]
    async with editor(reader.place) as one:
        last = await step(
            one,
            "consensus",
            1,
            1,
            models=models,
            relevant_files=[str(TRIO / "_util.py"), str(BREAKER)],
        )
    requests = await reader.requests(since)
    heard = last["expert_analysis"]["responses"]

    assert last["status"] == "consensus_workflow_complete"
    assert ["answered"] * 3 == [each["status"] for each in heard]
    assert {"glm-4.6", "kimi-k2.6", "glm-4.5-flash"} == {r["body"]["model"] for r in requests}
    assert [1] * 3 == [text_of(request).count("class ConflictDetector") for request in requests]
    assert [1] * 3 == [text_of(request).count("class Breaker:") for request in requests]
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


TRACED = {
    "Python": (
        TRIO / "_highlevel_open_tcp_stream.py",
        "open_tcp_stream",
        {"close_all", "reorder_for_rfc_6555_section_5_4", "format_host_port"},
    ),
    "C": (
        WEBSOCKETS / "speedups.c",
        "apply_mask",
        {"_PyBytesLike_AsStringAndSize", "PyErr_SetString"},
    ),
}


@pytest.mark.parametrize("language", TRACED)
async def test_tracing_a_real_package(reader, editor, language):
    """The call flow of a module of an installed package, with places that are true, without any model."""
    file, target, calls = TRACED[language]
    since = await reader.last_request()
    async with editor(reader.place) as one:
        last = await step(
            one,
            "tracer",
            1,
            1,
            trace_mode="precision",
            target_description=target,
            relevant_files=[str(file)],
        )
    flow = last["complete_tracer"]["call_flow"]
    first, *reached = flow["definitions"]
    lines = file.read_text("utf-8").splitlines()

    assert target == first["name"]
    assert calls <= {call["name"] for call in first["calls"]}
    assert calls & {each["name"] for each in reached}
    for call in first["calls"]:
        assert call["name"] in lines[call["line"] - 1]
    assert not await reader.requests(since)
