"""Models that write for long, over a real provider's HTTP: heard out, or cut with what came."""

import json

import pytest

pytestmark = pytest.mark.real

PROMPTS = {
    "whole": "one [[simulate: tokens=60 drip=0.05]]",
    "cut": "two [[simulate: tokens=5000 drip=0.02]]",
    "silent": "three [[simulate: hang]]",
}


def chat(prompt, **more):
    arguments = {"prompt": prompt, "model": "glm-4.5-flash", "use_websearch": False, **more}
    return {"name": "chat", "arguments": arguments}


async def warm(client):
    """Return once the daemon has loaded what it asks models with, however slow the machine is."""
    answered = False
    for number in range(20):
        if not answered:
            await client.say("call_tool", request_id=f"warm{number}", **chat("hello"))
            answered = (await client.hear_until("call_tool_res"))["ok"]
    assert answered


async def test_a_stream_outlives_the_calls_own_deadline(new_place, start):
    """SIMPLE_TOOL_TIMEOUT_SECS is for a model that is silent; GLM_STREAM_TIMEOUT cuts one that speaks, and the text is kept."""
    settings = {"GLM_TIMEOUT_SECS": "4", "GLM_STREAM_TIMEOUT": "4", "SIMPLE_TOOL_TIMEOUT_SECS": "2"}
    place = new_place(simulate=True, **settings)
    start(place)
    async with place.client() as one:
        await warm(one)
        for request_id, prompt in PROMPTS.items():
            await one.say("call_tool", request_id=request_id, **chat(prompt))
        heard = [await one.hear_until("call_tool_res") for _ in PROMPTS]
        found = {frame["request_id"]: frame for frame in heard}
        whole, cut = (json.loads(found[id_]["outputs"][0]["text"]) for id_ in ("whole", "cut"))
        again = cut["continuation_offer"]["continuation_id"]
        await one.say("call_tool", request_id="on", **chat("go on", continuation_id=again))
        further = await one.hear_until("call_tool_res")

    assert "continuation_available" == whole["status"]
    assert ("partial", True) == (cut["status"], cut["metadata"]["partial"])
    assert len(cut["content"]) > 50
    assert "4 s (GLM_STREAM_TIMEOUT)" in cut["metadata"]["notice"]
    assert "TIMEOUT" == found["silent"]["error"]["code"]
    assert "SIMPLE_TOOL_TIMEOUT_SECS" in found["silent"]["error"]["message"]
    assert further["ok"]
