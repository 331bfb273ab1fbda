"""The endpoints and the control endpoint over real sockets."""

import json
from functools import partial

import httpx2
import pytest
import trio

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
    """A reset gives a clean simulator_state."""
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
