"""Search, files, token counts, models, balance, the prompt caches: over real sockets, in each service's own form."""

import json

import pytest

pytestmark = pytest.mark.real

GLM = "/glm/api/paas/v4"
KIMI = "/kimi/v1"
CHATS = [(GLM, "glm-4.6"), (KIMI, "kimi-k2.6")]


def chat(model, text="hello", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def visits(http, path="/chat/completions"):
    answer = await http.get("/_requests", params={"path": path})
    return answer.json()["requests"]


async def test_cached_tokens_in_both_dialects(http):
    """GLM says 0, Kimi says nothing; then both say how much."""
    long = "word " * 2000
    used = []
    for base, model in CHATS * 2:
        answer = await http.post(f"{base}/chat/completions", json=chat(model, long))
        used.append(answer.json()["usage"])

    assert used[0]["prompt_tokens_details"]["cached_tokens"] == 0
    assert "cached_tokens" not in used[1]
    assert used[2]["prompt_tokens_details"]["cached_tokens"] % 64 == 0 < used[2]["prompt_tokens"]
    assert used[2]["prompt_tokens_details"]["cached_tokens"] > 2000
    assert used[3]["cached_tokens"] == used[3]["prompt_tokens"] // 256 * 256


async def test_glm_search_in_chat(http):
    """Results come beside the answer, only when they are asked for; there is no tool call."""
    search = {"enable": True, "search_engine": "search_pro_jina", "count": 3, "search_result": True}
    quiet = {**search, "search_result": False}
    bodies = []
    for wanted in (search, quiet):
        tools = [{"type": "web_search", "web_search": wanted}]
        answer = await http.post(f"{GLM}/chat/completions", json=chat("glm-4.6", tools=tools))
        bodies.append(answer.json())

    assert bodies[0]["web_search"][0].keys() == {"title", "content", "link", "media", "icon", "refer", "publish_date"}  # fmt: skip
    assert len(bodies[0]["web_search"]) == 3
    assert "web_search" not in bodies[1]
    assert bodies[0]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(("sequence", "place"), [("before", 0), ("after", -1)])
async def test_glm_search_in_a_stream(http, sequence, place):
    """The results stand in the first chunk or in the last."""
    search = {"enable": True, "search_result": True, "count": 1, "result_sequence": sequence}
    tools = [{"type": "web_search", "web_search": search}]
    answer = await http.post(f"{GLM}/chat/completions", json=chat("glm-4.6", tools=tools, stream=True))  # fmt: skip

    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    assert [i for i, chunk in enumerate(chunks) if "web_search" in chunk] == [place % len(chunks)]


@pytest.mark.parametrize(
    ("method", "path", "asked", "shows"),
    [
        ("POST", f"{GLM}/web_search", {"search_engine": "search-prime", "search_query": "q", "count": 2}, "search_result"),
        ("POST", f"{GLM}/reader", {"url": "https://a.invalid"}, "reader_result"),
        ("POST", f"{GLM}/tokenizer", chat("glm-4.6"), "usage"),
        ("POST", f"{KIMI}/tokenizers/estimate-token-count", chat("kimi-k3"), "data"),
        ("GET", f"{KIMI}/users/me/balance", None, "data"),
        ("GET", f"{KIMI}/models", None, "data"),
        ("GET", f"{KIMI}/formulas/moonshot/web-search:latest/tools", None, "tools"),
        ("POST", f"{KIMI}/formulas/moonshot/web-search:latest/fibers", {"name": "web_search", "arguments": '{"query": "q"}'}, "context"),
    ],
)  # fmt: skip
async def test_other_endpoints(http, method, path, asked, shows):
    """Each endpoint answers in its own form."""
    answer = await http.request(method, path, json=asked)

    assert answer.status_code == 200
    assert answer.json()[shows]


@pytest.mark.parametrize(
    ("method", "path", "asked", "status", "kind"),
    [
        ("POST", f"{GLM}/web_search", {"search_engine": "search-prime"}, 400, "1213"),
        ("POST", f"{GLM}/web_search", {"search_engine": "x", "search_query": "q"}, 400, "1214"),
        ("POST", f"{GLM}/web_search", {"search_engine": "search-prime", "search_query": "q", "count": 51}, 400, "1214"),
        ("POST", f"{GLM}/reader", {"url": "ftp://a"}, 400, "1214"),
        ("POST", f"{GLM}/tokenizer", chat("glm-5.3"), 400, "1212"),
        ("POST", f"{GLM}/tokenizer", chat("glm-2"), 400, "1211"),
        ("GET", f"{GLM}/models", None, 404, "1222"),
        ("GET", f"{GLM}/users/me/balance", None, 404, "1222"),
        ("POST", f"{KIMI}/web_search", {}, 403, "permission_denied_error"),
        ("POST", f"{KIMI}/caching", {}, 403, "permission_denied_error"),
        ("POST", f"{KIMI}/tokenizers/estimate-token-count", chat("kimi-latest"), 404, "resource_not_found_error"),
        ("GET", f"{KIMI}/formulas/moonshot/nothing:latest/tools", None, 404, "resource_not_found_error"),
        ("POST", f"{KIMI}/formulas/moonshot/web-search:latest/fibers", {"name": "web_search", "arguments": {}}, 400, "invalid_request_error"),
        ("POST", f"{KIMI}/chat/completions", chat("moonshot-v1-8k"), 404, "resource_not_found_error"),
        ("POST", f"{GLM}/chat/completions", [1], 400, "1210"),
    ],
)  # fmt: skip
async def test_refusals_of_other_endpoints(http, *, method, path, asked, status, kind):
    """Each refusal has its service's form."""
    answer = await http.request(method, path, json=asked)

    error = answer.json()["error"]
    assert (answer.status_code, error.get("code") or error["type"]) == (status, kind)


async def test_kimi_models_have_kimis_fields(http):
    """The fields from which a catalogue can be refreshed."""
    (model, *_) = (await http.get(f"{KIMI}/models")).json()["data"]

    for field in ("id", "created", "owned_by", "context_length", "supports_image_in"):
        assert field in model


@pytest.mark.parametrize("base", [GLM, KIMI])
async def test_files_from_upload_to_deletion(http, base):
    """Upload, list, read, delete; the log has a summary and no content."""
    files = {"file": ("notes.txt", "grüße".encode())}
    held = (await http.post(f"{base}/files", data={"purpose": "file-extract"}, files=files)).json()
    listed = (await http.get(f"{base}/files")).json()["data"]
    content = await http.get(f"{base}/files/{held['id']}/content")
    deleted = (await http.request("DELETE", f"{base}/files/{held['id']}")).json()
    gone = await http.get(f"{base}/files/{held['id']}/content")

    assert listed == [held]
    assert (content.json()["content"] if base == GLM else content.text) == "grüße"
    assert (deleted["id"], deleted["deleted"], gone.status_code) == (held["id"], True, 404)
    upload = (await visits(http, "/files"))[0]
    assert upload["body"]["filename"] == "notes.txt"
    assert upload["body"]["size"] == 7


async def test_upload_larger_than_anything_gets_its_refusal(http):
    """A body beyond the limit is read to the end and refused, not cut off."""
    answer = await http.post(f"{KIMI}/files", content=bytes(111 * 1024 * 1024), timeout=30)

    assert answer.status_code == 400
    assert "max file size is 100MB" in answer.json()["error"]["message"]
