"""What the simulated shelves do wrong when asked: an upload that is taken and not answered, a deletion that fails, a file that vanishes."""

from functools import partial

import pytest

from exai_trio.simulator.app import serve

pytestmark = pytest.mark.real


@pytest.fixture
async def http(nursery):
    import ssl

    import httpx2

    origin = await nursery.start(partial(serve, "127.0.0.1", 0))
    headers = {"Authorization": "Bearer k"}
    async with httpx2.AsyncClient(
        base_url=origin, headers=headers, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ) as client:  # fmt: skip
        yield client


async def _upload(http):
    return await http.post(
        "/kimi/v1/files", data={"purpose": "file-extract"}, files={"file": ("a.txt", b"text")}
    )


async def _listed(http):
    return [each["id"] for each in (await http.get("/kimi/v1/files")).json()["data"]]


async def test_an_upload_is_cut_after_it_was_accepted(http):
    import httpx2

    arm = {"path": "/files", "method": "POST", "fault": {"cut_after": 0}}
    assert (await http.post("/_control", json=arm)).is_success
    with pytest.raises(httpx2.TransportError):
        await _upload(http)

    assert 1 == len(await _listed(http))


async def test_a_deletion_fails_as_often_as_it_is_told_to(http):
    file_id = (await _upload(http)).json()["id"]
    arm = {"path": file_id, "method": "DELETE", "requests": 2, "fault": {"status": 503}}
    await http.post("/_control", json=arm)
    codes = [(await http.delete(f"/kimi/v1/files/{file_id}")).status_code for _ in range(4)]

    assert [503, 503, 200, 404] == codes


async def test_a_file_vanishes(http):
    file_id = (await _upload(http)).json()["id"]
    assert (await http.post("/_control", json={"vanish": file_id})).is_success

    assert [] == await _listed(http)
    assert 400 == (await http.post("/_control", json={"vanish": file_id})).status_code
