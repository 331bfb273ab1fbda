"""What the openai package on Trio makes of the simulated streams, sound and broken: one test for each class of misbehaviour."""

import json

import httpx2
import openai
import pytest
import trio

# The package drops its inner generators after [DONE] and after an error; trio warns about every one of them.
pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:Async generator 'openai:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Async generator 'httpx2:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Async generator 'httpcore2:ResourceWarning"),
]

GLM = "/glm/api/paas/v4"
KIMI = "/kimi/v1"
MODELS = {GLM: "glm-4.6", KIMI: "kimi-k2.6"}
BOTH = pytest.mark.parametrize("base", [GLM, KIMI])


@pytest.fixture
async def client_of(origin, connect):
    """A client for one of the services."""
    async with connect(origin, headers={}) as http:

        def client(base, key="simulated"):
            return openai.AsyncOpenAI(
                base_url=origin + base, api_key=key, max_retries=0, http_client=http
            )

        yield client


async def streamed(client, base, text, **more):
    """All chunks of one stream."""
    chunks = []
    await collect(chunks, client, base, text, **more)
    return chunks


async def collect(chunks, client, base, text, **more):
    messages = [{"role": "user", "content": text}]
    stream = await client.chat.completions.create(
        model=MODELS[base], messages=messages, stream=True, **more
    )
    async with stream:
        async for chunk in stream:
            chunks.append(chunk)


def content(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@BOTH
async def test_stream_is_understood(client_of, base):
    """Thoughts, then text, a finish reason and usage, in each service's own shape."""
    chunks = await streamed(client_of(base), base, "hello")

    thoughts = ["reasoning_content" in c.choices[0].delta.model_extra for c in chunks if c.choices]
    assert any(thoughts)
    assert content(chunks).endswith("hello")
    assert chunks[-1].usage.total_tokens > 0
    assert len(chunks[-1].choices) == (1 if base == GLM else 0)
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert finishes[-1] == "stop"


@BOTH
async def test_streamed_tool_call(client_of, base):
    """A call arrives in pieces and can be put together."""
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    words = """[[simulate: call=look_up arguments='{"query": "a long enough one"}']]"""
    chunks = await streamed(
        client_of(base), base, words, tools=[tool], extra_body={"tool_stream": True}
    )

    pieces = [
        p.function.arguments
        for c in chunks
        if c.choices
        for p in c.choices[0].delta.tool_calls or ()
    ]
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {"query": "a long enough one"}


@BOTH
@pytest.mark.parametrize("directive", ["tokens=5 comments", "piece=7", "tokens=3 drip=0.001"])
async def test_odd_but_sound_streams(client_of, base, directive):
    """Comments, pieces that ignore the borders of events and slow streams change nothing."""
    chunks = await streamed(client_of(base), base, f"[[simulate: {directive}]] grüße €")

    assert chunks[-1].usage is not None
    assert "[simulated]" in content(chunks)


@BOTH
@pytest.mark.parametrize(
    ("directive", "error", "before"),
    [
        ("drop", openai.APIConnectionError, 0),
        ("cut_after=3", httpx2.RemoteProtocolError, 3),
        ("broken_json=2", json.JSONDecodeError, 2),
        ("error_event=2", openai.APIError, 2),
        ("html", openai.InternalServerError, 0),
        ("status=500", openai.InternalServerError, 0),
        ("status=429", openai.RateLimitError, 0),
        ("status=401", openai.AuthenticationError, 0),
    ],
)
async def test_broken_streams(client_of, base, directive, error, before):
    """Each fault is an error, after as many chunks as were asked for."""
    chunks = []
    caught = (error, openai.APIConnectionError) if before else error
    with pytest.raises(caught):
        await collect(chunks, client_of(base), base, f"[[simulate: {directive}]]")

    assert len(chunks) == before


@BOTH
@pytest.mark.parametrize(
    ("directive", "count"), [("end_after=2", 2), ("end_after=0", 0), ("error_in_200", 0)]
)
async def test_streams_that_look_complete(client_of, base, directive, count):
    """A clean end too early, and an error body under 200, give no error: a caller must look for the finish reason."""
    chunks = await streamed(client_of(base), base, f"[[simulate: {directive}]]")

    assert len(chunks) == count


@BOTH
async def test_stream_without_done(client_of, base):
    """A stream may end with its finish and no [DONE]."""
    chunks = await streamed(client_of(base), base, "[[simulate: no_done]]")

    assert chunks[-1].usage is not None


@BOTH
async def test_empty_answer(client_of, base):
    """Nothing but a finish."""
    assert content(await streamed(client_of(base), base, "[[simulate: empty]]")) == ""


async def test_kimi_usage_inside_the_choice(client_of):
    """The odd place for usage is reachable."""
    chunks = await streamed(client_of(KIMI), KIMI, "[[simulate: usage=choice]]")

    assert chunks[-1].choices[0].model_extra["usage"]["total_tokens"] > 0


async def test_error_in_200_without_a_stream(client_of):
    """The error sits where nobody looks."""
    answer = await client_of(GLM).chat.completions.create(
        model="glm-4.6", messages=[{"role": "user", "content": "[[simulate: error_in_200]]"}]
    )

    assert answer.choices is None
    assert answer.model_extra["error"]["code"] == "1305"


@pytest.mark.parametrize(
    ("base", "directive", "code", "kind"),
    [
        (GLM, "code=1302", "1302", None),
        (GLM, "code=1113", "1113", None),
        (KIMI, "error=rpm again=3", None, "rate_limit_reached_error"),
        (KIMI, "type=exceeded_current_quota_error", None, "exceeded_current_quota_error"),
    ],
)
async def test_error_bodies(client_of, base, directive, code, kind):
    """GLM's code is a string, Kimi has a type and no code."""
    with pytest.raises(openai.RateLimitError) as caught:
        await streamed(client_of(base), base, f"[[simulate: {directive}]]")

    assert (caught.value.code, caught.value.type) == (code, kind)


async def test_arguments_as_object(client_of):
    """Arguments that are no text are handed on."""
    answer = await client_of(GLM).chat.completions.create(
        model="glm-4.6",
        messages=[{"role": "user", "content": "[[simulate: call=f object_arguments]]"}],
    )

    assert answer.choices[0].message.tool_calls[0].function.arguments == {}


@BOTH
async def test_wrong_key(client_of, base):
    """A wrong key is an authentication error."""
    with pytest.raises(openai.AuthenticationError):
        await streamed(client_of(base, "wrong"), base, "hello")


@BOTH
@pytest.mark.parametrize(
    ("directive", "count"), [("hang", 0), ("hang=2", 2), ("hang=2 comments", 2)]
)
async def test_hanging_stream_left_by_cancellation(
    client_of, http, nursery, *, base, directive, count
):
    """So many chunks come and no more; leaving closes the socket, and the log says so."""
    chunks = []
    words = f"[[simulate: {directive}]]"
    nursery.start_soon(collect, chunks, client_of(base), base, words)
    while True:
        state = (await http.get("/_state")).json()
        if state["open"] and len(chunks) == count:
            break
        await trio.sleep(0.005)
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        visit = await _ended(http)

    assert (len(chunks), visit["disconnected"]) == (count, True)


async def _ended(http):
    while True:
        (visit,) = (await http.get("/_requests")).json()["requests"]
        if visit["ended_at"] is not None:
            return visit
        await trio.sleep(0.005)


async def test_kimi_files_models_and_uploads(client_of):
    """The package's own calls for files and models work."""
    client = client_of(KIMI)
    held = await client.files.create(file=("a.txt", b"text"), purpose="file-extract")
    listed = [
        file.id for file in (await client.files.list()).data
    ]  # unpaged: iterating would never end
    content_of = await client.files.content(held.id)
    models = [model.id async for model in client.models.list()]

    assert (listed, content_of.text) == ([held.id], "text")
    assert "kimi-k3" in models
    assert (await client.files.delete(held.id)).deleted
