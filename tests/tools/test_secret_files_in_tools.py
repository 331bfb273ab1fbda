"""Every tool that takes files: what looks like a secret is left out of directories, refused by its path, and said."""

import pytest

from exai_trio.config import Config
from exai_trio.errors import ArgumentError

CANARY = "CANARY-7f3a"
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def root(tmp_path, bench):
    root = tmp_path.resolve() / "root"
    root.mkdir()
    (root / "main.py").write_text("print(1)\n")
    bench.caller.roots = (root,)
    return root


def put(root, name, text):
    path = root / name
    path.write_text(text)
    return path


@pytest.mark.real
async def test_tools_say_what_they_left_out(root, bench):
    """chat and smart_file_query name it in prompt and answer; a workflow tool in the step that names the directory and at the end."""
    put(root, ".env", CANARY)
    said = await bench.say("look", files=[str(root)])
    assert ".env (an environment file)" in said["metadata"]["notice"]
    prompt = bench.gateway.requests[-1].messages[-1].text
    assert f"[file {root}/.env: left out" in prompt
    asked = await bench.call("smart_file_query", file_path=str(root), question="what?")
    assert ".env (an environment file)" in asked.structured["metadata"]["notice"]
    step = await bench.step("codereview", 1, 2, relevant_files=[str(root)])
    assert ".env (an environment file)" in step["next_steps"]
    end = await bench.step(
        "codereview", 2, 2, relevant_files=[str(root)], continuation_id=step["continuation_id"]
    )
    assert "looks like a secret" in end["file_context"]["not_embedded"][str(root / ".env")]
    assert not any(
        CANARY in message.text for request in bench.gateway.requests for message in request.messages
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("chat", {"prompt": "look", "files": ["{}"]}),
        ("smart_file_query", {"question": "what?", "file_path": "{}"}),
    ],
)
async def test_every_tool_refuses_a_secret_by_its_path(root, bench, tool, arguments):
    """The refusal names the setting and the argument; nothing is asked of a provider."""
    path = str(put(root, ".env", CANARY))
    filled = {
        name: [path] if isinstance(value, list) else value.format(path)
        for name, value in arguments.items()
    }
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES") as refused:
        await bench.call(tool, **filled)

    assert refused.value.details["field"] in arguments
    assert not bench.gateway.requests


@pytest.mark.parametrize("tool", ["codereview", "debug", "tracer", "precommit", "testgen"])
async def test_every_workflow_refuses_a_secret_by_its_path(root, bench, tool):
    """At the step that names it."""
    path = put(root, "notes.py", f'KEY = "{TOKEN}"')
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await bench.step(tool, 1, 2, relevant_files=[str(path)])


async def test_the_setting_reaches_the_tools(root, bench):
    """What EXAI_SECRET_FILES names is sent by them."""
    path = put(root, ".env", CANARY)
    bench.config = Config(secret_files=(path,))
    said = await bench.say("look", files=[str(path)])

    assert "notice" not in said["metadata"]
    assert CANARY in bench.gateway.requests[-1].messages[-1].text
