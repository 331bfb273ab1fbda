"""What an editor offers its user besides tools: prompts, conversations as resources, completion."""

import pytest
from mcp_types import PromptReference

pytestmark = pytest.mark.real


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_an_answer_is_found_again(daemon, editor, mode):
    """A conversation of one window is listed, read and completed in another; prompts stand for the tools."""
    async with editor(daemon.place, mode) as one:
        answer = await one.call("chat", prompt=f"a question of the {mode} era")
        thread = answer.structured_content["continuation_offer"]["continuation_id"]
    async with editor(daemon.place, mode) as other:
        client = other.client
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
        filled = await client.get_prompt("chat", {"prompt": "why?"})
        resources = {str(one.uri): one for one in (await client.list_resources()).resources}
        uri = f"exai://threads/{thread}"
        (text,) = (await client.read_resource(uri)).contents
        ref = PromptReference(type="ref/prompt", name="chat")
        models = await client.complete(ref, {"name": "model", "value": "glm-4.5"})
        ids = await client.complete(ref, {"name": "continuation_id", "value": thread[:8]})

    assert [tool.name for tool in tools] == [prompt.name for prompt in prompts]
    assert all(tool.annotations.read_only_hint for tool in tools if tool.name in {"chat", "result"})
    assert "why?" in filled.messages[0].content.text
    assert f"a question of the {mode} era" == resources[uri].title
    assert f"a question of the {mode} era" in text.text
    assert "glm-4.5-flash" in models.completion.values
    assert thread in ids.completion.values
