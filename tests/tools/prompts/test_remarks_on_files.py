"""Prompts and answers say of a file that it was not UTF-8, and how many of its bytes could not be read."""

import pytest

pytestmark = pytest.mark.real

REMARK = "not UTF-8, read as GB"


@pytest.fixture
def root(tmp_path, bench):
    root = tmp_path.resolve() / "root"
    root.mkdir()
    text = "/* 计算两个数的和，返回结果 */\nint add(int a, int b) { return a + b; }\n"
    (root / "g.c").write_bytes(text.encode("gbk"))
    (root / "a.c").write_text("int one;\n")
    bench.caller.roots = (root,)
    return root


async def test_chat_says_it_in_prompt_and_answer(root, bench):
    """Beside the name of the file, and in the notice; nothing is said of UTF-8."""
    said = await bench.say("look", files=[str(root)])
    prompt = bench.gateway.requests[-1].messages[-1].text

    assert f"--- file {root}/g.c ({REMARK}" in prompt
    assert "/* 计算两个数的和，返回结果 */" in prompt
    assert f"--- file {root}/a.c ---" in prompt
    assert f"{root}/g.c: {REMARK}" in said["metadata"]["notice"]
    assert "a.c" not in said["metadata"]["notice"]


async def test_smart_file_query_says_it(root, bench):
    """In the prompt and the notice."""
    answer = await bench.call("smart_file_query", file_path=str(root / "g.c"), question="what?")

    assert REMARK in answer.structured["metadata"]["notice"]
    assert f"g.c ({REMARK}" in bench.gateway.requests[-1].messages[-1].text


@pytest.mark.parametrize("tool", ["codereview", "debug"])
async def test_a_workflow_says_it_at_the_end(root, bench, tool):
    """Among the files that the expert was shown."""
    ended = await bench.step(tool, 1, 1, relevant_files=[str(root / "g.c")])

    assert ended["file_context"]["remarks"][str(root / "g.c")].startswith(REMARK)
    assert f"g.c ({REMARK}" in bench.gateway.requests[-1].messages[-1].text


async def test_the_tracer_reads_it_and_says_it(root, bench):
    """Functions are found in the text as it is."""
    step = await bench.step(
        "tracer",
        1,
        2,
        trace_mode="precision",
        target_description="add",
        relevant_files=[str(root / "g.c")],
    )
    found = step["tracer_status"]

    assert found["remarks"][str(root / "g.c")].startswith(REMARK)
    assert "add" in str(found["call_flow"])


async def test_damage_is_said(root, bench):
    """How many bytes could not be read, where they are shown as U+FFFD."""
    (root / "d.c").write_bytes("// größer, ändern, über\n".encode() + b"int \xff x;\n")
    said = await bench.say("look", files=[str(root / "d.c")])

    assert "1 undecodable byte(s) shown as U+FFFD" in said["metadata"]["notice"]
