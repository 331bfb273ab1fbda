"""What the provider receives from each workflow tool at its last step, byte for byte."""

import subprocess
import uuid
from pathlib import Path

import attrs
import pytest

from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect
from exai_trio.providers.dialects.request_body import encoded

pytestmark = pytest.mark.real

GOLDEN = Path(__file__).parent / "golden"
DIALECTS = {
    "glm": glm_dialect("https://api.z.ai/api/paas/v4"),
    "kimi": kimi_dialect("https://api.moonshot.ai/v1"),
}
EXPERTS = [
    "analyze",
    "debug",
    "codereview",
    "refactor",
    "secaudit",
    "testgen",
    "thinkdeep",
    "precommit",
]
OWN = {
    "analyze": {"analysis_type": "performance"},
    "codereview": {"review_type": "quick", "focus_on": "locks"},
    "refactor": {"focus_areas": ["names"]},
    "secaudit": {"audit_focus": "owasp", "threat_level": "high"},
    "thinkdeep": {"problem_context": "a shop"},
    "precommit": {"focus_on": "the till"},
}


@pytest.fixture
def root(tmp_path, bench, monkeypatch):
    root = tmp_path.resolve() / "project"
    root.mkdir()
    bench.caller.roots = (root,)
    (root / "shop.py").write_text("def sell():\n    return 'ä'\n", encoding="utf-8")
    (root / "till.bin").write_bytes(b"\0\1")
    monkeypatch.setattr(uuid, "uuid4", lambda: "11111111-2222-4333-8444-555555555555")
    return root


def repository(root):
    for words in (["init", "--initial-branch=main"], ["add", "shop.py"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


def bodies(bench, root):
    for request in bench.gateway.requests:
        choice = bench.gateway.choose(request.model)
        key = request.idempotency_key if "r1:" in request.idempotency_key else "s1:r1"
        sent = attrs.evolve(request, idempotency_key=key)
        body = encoded(DIALECTS[choice.provider].chat_body(sent, choice.model))
        yield body.replace(str(root).encode(), b"/project")


def check(name, body):
    """The golden file's bytes. To accept a change: delete the file, run the test, read what it wrote."""
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        pytest.fail(f"{path.name} was not there; it is now")
    assert path.read_bytes() == body


@pytest.mark.parametrize("name", EXPERTS)
async def test_what_the_expert_receives(bench, root, name):
    """A chat, then an investigation of two steps with files, issues and the tool's own arguments, equals the golden file."""
    if name == "precommit":
        repository(root)
    bench.gateway.answer = {"text": "It sells.", "reasoning": "a shop"}
    begun = await bench.say("What does it do?", model="kimi-k2.6", files=[str(root / "shop.py")])
    again = begun["continuation_offer"]["continuation_id"]
    bench.gateway.requests.clear()
    await bench.step(
        name,
        1,
        2,
        step="Selling fails.",
        findings="It returns a letter.",
        files_checked=["/project/other.py"],
        relevant_files=[str(root / "till.bin"), str(root / "shop.py")],
        continuation_id=again,
        **OWN.get(name, {}),
    )
    await bench.step(
        name,
        2,
        2,
        step="Looked at the till.",
        findings="It is binary.",
        relevant_context=["shop.sell"],
        issues_found=[{"severity": "high", "description": "wrong type", "line": 2}, "no test"],
        confidence="medium",
        continuation_id=again,
        **({} if name == "analyze" else {"hypothesis": "The till is broken."}),
    )
    (body,) = bodies(bench, root)

    check(name, body)


async def test_what_each_of_a_panel_receives(bench, root):
    """Each model of a consensus with its stance, equals its golden file."""
    models = [
        {"model": "glm-4.6", "stance": "for"},
        {"model": "kimi-k2.6", "stance": "against", "stance_prompt": "Think of the cost."},
        {"model": "glm-4.5-flash"},
    ]
    await bench.step(
        "consensus",
        1,
        1,
        step="Shall we sell more?",
        findings="I think so.",
        relevant_files=[str(root / "shop.py")],
        models=models,
    )

    for request, body in zip(bench.gateway.requests, bodies(bench, root), strict=True):
        check(f"consensus-{request.model}", body)


@pytest.mark.parametrize("name", ["planner", "tracer", "docgen"])
async def test_what_a_chat_receives_after_tools_that_ask_nobody(bench, root, name):
    """planner, tracer and docgen send nothing themselves; what the thread holds of them equals the golden file."""
    more = {"relevant_files": [str(root / "shop.py")]} if name != "planner" else {}
    again = (await bench.step(name, 1, 1, **more))["continuation_id"]
    await bench.say("And now?", continuation_id=again)
    (body,) = bodies(bench, root)

    check(name, body)
