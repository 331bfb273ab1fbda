"""The endpoints and the control endpoint over real sockets."""

import json
import socket
from functools import partial

import httpx2
import pytest
import trio

from exai_trio.simulator.app import serve

pytestmark = pytest.mark.real

GLM = "/glm/api/paas/v4"
KIMI = "/kimi/v1"
CHATS = [(GLM, "glm-4.6"), (KIMI, "kimi-k2.6")]


def chat(model, text="hello", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def visits(http, path="/chat/completions"):
    answer = await http.get("/_requests", params={"path": path})
    return answer.json()["requests"]


async def wait_open(http, least_sent=0):
    """Until a request is being answered, and so many bytes of its answer have gone out."""
    while True:
        if any(
            not visit["ended_at"] and visit["sent"] >= least_sent for visit in await visits(http)
        ):
            return
        await trio.sleep(0.005)


async def wait_ended(http, number=-1):
    """The log's entry, once its request has ended."""
    while True:
        visit = (await visits(http))[number]
        if visit["ended_at"] is not None:
            return visit
        await trio.sleep(0.005)


@pytest.mark.parametrize(("base", "model"), CHATS)
async def test_plain_chat(http, base, model):
    """An answer in one piece, labelled as simulated."""
    answer = await http.post(f"{base}/chat/completions", json=chat(model))

    body = answer.json()
    assert answer.status_code == 200
    assert "[simulated]" in body["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("base", "model"), CHATS)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}])
async def test_key_is_checked(origin, connect, base, model, header):
    """Without a good key there is only 401."""
    async with connect(origin, headers=header) as http:
        answer = await http.post(f"{base}/chat/completions", json=chat(model))

    assert answer.status_code == 401
    assert "error" in answer.json()


async def test_request_log_shows_what_arrived(http):
    """Method, path, masked key, body; complete and not disconnected."""
    asked = chat("glm-4.6", "can you see me", stream_options={})
    await http.post(f"{GLM}/chat/completions", json=asked, headers={"Idempotency-Key": "k1"})

    (visit,) = await visits(http)
    assert (visit["method"], visit["path"]) == ("POST", f"{GLM}/chat/completions")
    assert visit["body"] == asked
    assert visit["headers"]["idempotency-key"] == "k1"
    assert "simulated" not in visit["headers"]["authorization"]
    assert (visit["status"], visit["complete"], visit["disconnected"]) == (200, True, False)
    assert visit["ignored"] == ["stream_options"]


@pytest.mark.parametrize(("base", "model"), CHATS)
async def test_storm_ends_after_so_many_attempts(http, base, model):
    """The first attempts of one call fail, the next succeeds; another call starts anew."""

    async def attempt(key):
        asked = chat(model, "[[simulate: status=500 times=2]]")
        answer = await http.post(
            f"{base}/chat/completions", json=asked, headers={"Idempotency-Key": key}
        )
        return answer.status_code

    assert [await attempt("one") for _ in range(3)] == [500, 500, 200]
    assert await attempt("two") == 500


async def test_storm_without_key_counts_by_body(http):
    """Equal bodies are attempts of one call."""
    asked = chat("glm-4.6", "[[simulate: status=429 code=1302 retry_after=2 times=1]]")

    first = await http.post(f"{GLM}/chat/completions", json=asked)
    second = await http.post(f"{GLM}/chat/completions", json=asked)
    assert (first.status_code, first.headers["retry-after"]) == (429, "2")
    assert second.status_code == 200


@pytest.mark.parametrize(
    ("directive", "status", "kind"),
    [("html", 504, "text/html"), ("html status=200", 200, "text/html"), ("status=504", 504, "text/html"),
     ("error_in_200", 200, "application/json; charset=utf-8")],
)  # fmt: skip
async def test_odd_bodies(http, directive, status, kind):
    """HTML where JSON should be, and an error under status 200."""
    answer = await http.post(
        f"{GLM}/chat/completions", json=chat("glm-4.6", f"[[simulate: {directive}]]", stream=True)
    )

    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)


async def test_misspelt_directive_is_refused(http):
    """The answer names what is known."""
    answer = await http.post(f"{GLM}/chat/completions", json=chat("glm-4.6", "[[simulate: dleay]]"))

    assert answer.status_code == 400
    assert "delay" in answer.json()["error"]["message"]


async def test_armed_fault_hits_the_next_requests(http):
    """The control endpoint arms n requests of one service, for one path."""
    fault = {"provider": "kimi", "requests": 2, "path": "/models", "fault": {"error": "overloaded"}}
    assert (await http.post("/_control", json=fault)).status_code == 200

    statuses = [
        (await http.get(f"{KIMI}/users/me/balance")).status_code,
        *[(await http.get(f"{KIMI}/models")).status_code for _ in range(3)],
    ]
    assert statuses == [200, 429, 429, 200]


@pytest.mark.parametrize(
    "asked",
    [{"fault": {"dealy": 1}}, {"what": 1}, {"provider": "x"}, {"requests": 0, "fault": {}}, 5, None],
)  # fmt: skip
async def test_bad_control_is_refused(http, asked):
    """A faulty order is refused, nothing is armed."""
    answer = await http.post("/_control", content=json.dumps(asked) if asked else b"{")

    assert (answer.status_code == 400) is (asked != 5)
    assert (await http.get("/_state")).json()["armed"] == 0


async def test_reset_forgets_everything(http):
    """A reset gives a clean desk."""
    await http.post("/_control", json={"fault": {"status": 500}, "limit": 1, "requests": 9})
    await http.get(f"{KIMI}/models")
    await http.request("DELETE", "/_control")

    state = (await http.get("/_state")).json()
    assert (state["armed"], state["limits"]) == (0, {"glm": None, "kimi": None})
    assert await visits(http, "/models") == []


@pytest.mark.parametrize(
    ("base", "model", "kind"),
    [(GLM, "glm-4.6", "1302"), (KIMI, "kimi-k2.6", "rate_limit_reached_error")],
)
async def test_limit_of_chats_at_once(http, nursery, base, model, kind):
    """One more chat than the limit is refused at once."""
    await http.post("/_control", json={"provider": base.split("/")[1], "limit": 1})
    url = f"{base}/chat/completions"
    nursery.start_soon(partial(http.post, url, json=chat(model, "[[simulate: hang]]")))
    await wait_open(http)

    answer = await http.post(url, json=chat(model))
    error = answer.json()["error"]
    assert (answer.status_code, error.get("code") or error["type"]) == (429, kind)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("directive", "least"),
    [("hang", 0), ("hang=2", 2), ("delay=60", 0), ("tokens=90 drip=1", 0), ("hang=1 comments", 1)],
)
async def test_client_that_leaves_is_noticed(origin, connect, http, nursery, *, directive, least):
    """Cancelling a call closes the provider's socket, and the log says so, whatever the answer was doing."""
    asked = chat("kimi-k3", f"[[simulate: {directive}]]", stream=True)
    async with connect(origin, timeout=None) as leaving:
        url = f"{KIMI}/chat/completions"
        nursery.start_soon(partial(leaving.post, url, json=asked))
        await wait_open(http, least)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            visit = await wait_ended(http)
            state = (await http.get("/_state")).json()

    assert (visit["disconnected"], visit["complete"]) == (True, False)
    assert state["open"] == []


async def test_cut_is_not_the_clients_doing(http):
    """A connection cut on purpose is logged as cut."""
    with pytest.raises(httpx2.RemoteProtocolError):
        await http.post(
            f"{KIMI}/chat/completions", json=chat("kimi-k3", "[[simulate: cut_after=1]]")
        )

    visit = await wait_ended(http)
    assert (visit["cut"], visit["disconnected"], visit["complete"]) == (True, False, False)


async def test_dropped_connection(http):
    """No answer at all."""
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending"):
        await http.post(f"{GLM}/chat/completions", json=chat("glm-4.6", "[[simulate: drop]]"))


async def test_request_id_of_a_running_request_is_refused(http, nursery):
    """A second request under the id of an open one is 1231; after the first has ended it is welcome."""
    url = f"{GLM}/chat/completions"
    asked = chat("glm-4.6", "hi", request_id="r1")
    first = trio.CancelScope()
    nursery.start_soon(_under, first, http, {**asked, **chat("glm-4.6", "[[simulate: hang]]")})
    await wait_open(http)
    second = await http.post(url, json=asked)
    first.cancel()
    third = await http.post(url, json=asked)

    assert (second.status_code, second.json()["error"]["code"]) == (400, "1231")
    assert third.status_code == 200


async def _under(scope, http, asked):
    with scope:
        await http.post(f"{GLM}/chat/completions", json=asked, timeout=None)


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


async def test_cancelled_server_does_not_wait_for_a_client_that_reads_nothing(connect):
    """Cancelling ends at once, also where a socket is full and its write is shielded."""
    asked = chat("glm-4.6", "[[simulate: tokens=200000]]", stream=True)
    async with trio.open_nursery() as serving:
        origin = await serving.start(partial(serve, "127.0.0.1", 0))
        async with connect(origin) as http:
            stream = await _asked_by_hand(origin, asked)
            await _wait_stuck(http)
        serving.cancel_scope.cancel()
    await stream.aclose()


async def _asked_by_hand(origin, asked):
    """A socket on which the request was sent and nothing is read."""
    host, port = origin.removeprefix("http://").split(":")
    body = json.dumps(asked)
    head = f"Host: x\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}"
    stream = await trio.open_tcp_stream(host, int(port))
    await stream.send_all(f"POST {GLM}/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
    return stream


async def _wait_stuck(http):
    """Until the answer has stopped growing because the socket is full."""
    sent = [-1]
    while len(sent) < 5 or len(set(sent[-5:])) > 1:
        (visit,) = await visits(http)
        sent.append(visit["sent"])
        await trio.sleep(0.05)


async def test_request_log_file(tmp_path, connect):
    """One JSON line for each ended request."""
    log = tmp_path / "requests.jsonl"
    async with trio.open_nursery() as serving:
        origin = await serving.start(partial(serve, "127.0.0.1", 0, request_log=log))
        async with connect(origin) as http:
            await http.get(f"{KIMI}/models")
            await http.get(f"{GLM}/nothing")
        serving.cancel_scope.cancel()

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [(f"{KIMI}/models", 200), (f"{GLM}/nothing", 404)]  # fmt: skip


async def test_cancelled_at_every_step_nothing_is_left(cancel_at_every_step):
    """Wherever the server is cancelled, its port is free again and no socket is left open."""
    ports = []

    async def scenario():
        async with trio.open_nursery() as serving:
            origin = await serving.start(partial(serve, "127.0.0.1", 0))
            ports.append(int(origin.rpartition(":")[2]))
            stream = await trio.open_tcp_stream("127.0.0.1", ports[-1])
            async with stream:
                await stream.send_all(b"GET /kimi/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
                await stream.receive_some(100)
            serving.cancel_scope.cancel()

    def port_is_free():
        if ports:
            with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
                probe.connect(("127.0.0.1", ports[-1]))

    assert await cancel_at_every_step(scenario, port_is_free) > 10
