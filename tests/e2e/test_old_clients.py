"""What clients of the older system check, on the frames they send: protocol 1, no numbers, no acknowledgements."""

import json

import pytest

pytestmark = pytest.mark.real

PAGES = ["/semaphore_monitor.html", "/monitoring_dashboard.html"]


@pytest.fixture
async def old(daemon):
    async with daemon.place.client() as client:
        yield client


async def test_the_first_frame_refuses_an_unknown_tool(old):
    """TOOL_NOT_FOUND, and neither an acknowledgement nor progress before it."""
    await old.call("r1", "no_such_tool")
    heard = await old.hear()

    assert ("call_tool_res", "r1", False) == (heard["op"], heard["request_id"], heard["ok"])
    assert "TOOL_NOT_FOUND" == heard["error"]["code"]


async def test_a_call_without_a_name(old):
    """INVALID_REQUEST, with the request's own id."""
    await old.say("call_tool", request_id="r1", arguments={})
    heard = await old.hear()

    assert ("call_tool_res", "r1") == (heard["op"], heard["request_id"])
    assert "INVALID_REQUEST" == heard["error"]["code"]


@pytest.mark.parametrize(
    "arguments",
    [{"prompt": "x", "temperature": 1.5}, {"prompt": "x", "temperature": -0.1}, {"prompt": ""}],
)
async def test_arguments_out_of_range(old, arguments):
    """VALIDATION_ERROR as the first frame, naming the field."""
    await old.call("r1", "chat", **arguments)
    heard = await old.hear()

    assert "VALIDATION_ERROR" == heard["error"]["code"]
    assert list(arguments)[-1] in heard["error"]["message"]


async def test_eleven_mebibytes(old):
    """OVER_CAPACITY, and the connection lives."""
    await old.call("r1", "chat", prompt="x" * (11 * 2**20))
    heard = await old.hear()
    answer = await old.outcome("r2", prompt="small")

    assert ("r1", "OVER_CAPACITY") == (heard["request_id"], heard["error"]["code"])
    assert answer["ok"]


async def test_the_list_is_the_next_frame(old):
    """list_tools_res follows list_tools, with a schema for each tool."""
    await old.say("list_tools")
    heard = await old.hear()

    assert "list_tools_res" == heard["op"]
    assert {"chat", "status"} <= {tool["name"] for tool in heard["tools"]}
    assert all("object" == tool["inputSchema"]["type"] for tool in heard["tools"])


@pytest.mark.parametrize("name", ["chat", "chat_EXAI-WS", "chat-EXAI_WS-VSCode2"])
async def test_an_answer_as_old_clients_read_it(old, name):
    """Acknowledged first; text beside outputs, usage, latency metrics; no numbers. Suffixes of editors are removed."""
    await old.call("r1", name, prompt="how many angels")
    accepted = await old.hear()
    answer = await old.hear_until("call_tool_res")
    metrics = answer["outputs"][0]["metadata"]["latency_metrics"]

    assert ("call_tool_ack", True, "chat") == (accepted["op"], accepted["accepted"], accepted["name"])  # fmt: skip
    assert "how many angels" in answer["text"]
    assert json.loads(answer["outputs"][0]["text"]) == json.loads(answer["text"])
    assert {"input_tokens", "output_tokens", "cost_usd"} <= answer["usage"].keys()
    assert "glm" == metrics["provider_name"]
    assert metrics.keys() == {"latency_ms", "global_sem_wait_ms", "provider_sem_wait_ms", "processing_ms", "provider_name"}  # fmt: skip
    assert "seq" not in accepted | answer


async def test_a_stream_arrives_in_order(old):
    """The chunks of a call that asks for a stream, put together, are the answer."""
    chunks = []
    asked = {"prompt": "[[simulate: tokens=20]]", "model": "kimi-k3"}
    await old.say("call_tool", request_id="r1", name="chat", arguments=asked, stream=True)
    while (heard := await old.hear())["op"] != "call_tool_res":
        if heard["op"] == "stream_chunk":
            chunks.append(heard)

    assert list(range(len(chunks))) == [chunk["index"] for chunk in chunks]
    assert json.loads(heard["text"])["content"] == "".join(chunk["chunk"] for chunk in chunks)


async def test_pages_and_health(new_place, start, fetch, until):
    """The pages are there, /health is healthy, and an idle daemon has all its permits. Of its own: where calls fail on purpose, that
    is told as an alert."""
    daemon = start(new_place(simulate=True, http=True, EXAI_WS_GLOBAL_MAX_INFLIGHT="128"))
    pages = [await fetch(daemon.place.pages, page) for page in PAGES]
    health = await fetch(daemon.place.health, "/health")
    await until(daemon.idle)
    permits = await daemon.health("/health/semaphores")

    assert [(200, True)] * 2 == [(page.status, b"<html" in page.body) for page in pages]
    told = health.json
    assert (200, "healthy", []) == (health.status, told["status"], told["troubles"])
    assert permits["global"]["current"] == permits["global"]["expected"] == 128
    assert {"glm", "kimi"} == permits["providers"].keys()
