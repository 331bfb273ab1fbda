"""Health over HTTP tells the truth, also while work is done."""

import pytest

pytestmark = pytest.mark.real


async def test_a_running_call_is_not_a_leak(daemon, until):
    """While a call runs one permit is in use, and every path says that all is well; afterwards all are free."""
    await until(daemon.idle)
    async with daemon.place.client() as one:
        await one.call("r1", "chat", prompt="[[simulate: hang]]")
        await until(lambda: _asks_a_provider(daemon))
        health = await daemon.health("/health")
        live = await daemon.health("/health/live")
        ready = await daemon.health("/health/ready")
        permits = await daemon.health("/health/semaphores")
        sockets = await daemon.health("/health/websocket")
        await one.say("health", request_id="h1")
        reported = await one.hear_until("health_res")
        await one.say("cancel", request_id="r1")
        ended = await one.hear_until("call_tool_res")
    await until(daemon.idle)

    assert ("healthy", "healthy", "ready", "healthy") == (
        health["status"],
        live["status"],
        ready["status"],
        sockets["status"],
    )
    assert (1, 1) == (health["calls"]["running"], reported["health"]["calls"]["running"])
    assert {"expected": 128, "current": 127, "inflight": 1, "waiting": 0} == permits["global"]
    assert {"expected": 64, "current": 63, "waiting": 0} == permits["providers"]["glm"]
    assert {"expected": 64, "current": 64, "waiting": 0} == permits["providers"]["kimi"]
    assert sockets["listening"]
    assert 1 <= sockets["connections"]
    assert daemon.pid == live["pid"]
    assert "CANCELLED" == ended["error"]["code"]


async def _asks_a_provider(daemon):
    permits = await daemon.health("/health/semaphores")
    return permits["providers"]["glm"]["current"] == 63


async def test_the_tools_agree(daemon):
    """What `status` and `health` say to an editor is what HTTP says."""
    async with daemon.place.client() as one:
        status = await one.outcome("r1", "status")
        health = await one.outcome("r2", "health")

    assert (True, True) == (status["ok"], health["ok"])
    assert (await daemon.health())["boot_id"] in status["text"]
