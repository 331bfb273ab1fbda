"""Who comes with a JWT over HTTP: for as long as that is good, and for what its role may."""

import jwt
import pytest
import trio
from web import message, modern, nap

SECRET = "s" * 32
NOW = 1_790_000_000


def signed(**claims) -> str:
    return jwt.encode({"sub": "ada", "exp": NOW + 3600, **claims}, SECRET)


async def test_an_open_stream_ends_with_its_token(web, autojump_clock):
    """That of a call and that of what is said unasked; the call goes on, and the next token of the same person has its answer."""
    async with web(jwt_secret_key=SECRET) as site:
        short = signed(exp=NOW + 20)
        session = await site.initialize(token=short)
        listening = site.begin("GET", token=short, **session)
        calling = site.begin(body=nap(40), token=short, **session)
        await trio.sleep(5)
        before = (listening.is_whole, calling.is_whole, calling.events[0][0])
        await trio.sleep_until(21)
        late = await site.ask(body=message("tools/list", id_=2), token=short, **session)
        written = calling.body
        again = await site.ask("GET", token=signed(), last_event_id=before[2], **session)

    assert (False, False) == before[:2]
    assert b"slept" not in written
    assert not calling.is_whole
    assert "slept 40" == again.events[-1][1]["result"]["content"][0]["text"]
    assert (401, 1) == (late.status, site.house.naps.finished)


@pytest.mark.parametrize("era", ["stateless", "session"])
async def test_a_viewer_lists_and_calls_nothing(web, autojump_clock, era):
    """Its call is answered as a failed one; nothing was begun, and it ends no session."""
    viewer = signed(role="viewer")
    async with web(jwt_secret_key=SECRET) as site:
        if era == "stateless":
            body, headers = modern(nap(1))
        else:
            body, headers = nap(1), await site.initialize(token=viewer)
        called = await site.ask(body=body, token=viewer, **headers)
        if era == "session":
            listed = await site.ask(body=message("tools/list", id_=2), token=viewer, **headers)
            ended = await site.ask("DELETE", token=viewer, **headers)
            assert (200, 403) == (listed.status, ended.status)

    assert called.answer["result"]["isError"]
    assert "viewer" in str(called.answer)
    assert 0 == site.house.naps.started


@pytest.mark.parametrize("role", ["root", "", 7])
async def test_an_unknown_role_is_refused(web, autojump_clock, role):
    async with web(jwt_secret_key=SECRET) as site:
        refused = await site.ask(body=message("tools/list"), token=signed(role=role))

    assert 401 == refused.status
