"""`exai dashboard` and `exai top`: what they print, and where they say that there is nothing to show."""

from io import StringIO

import pytest

from exai_trio.commands.console import Console
from exai_trio.commands.watching import dashboard_command, pages_client, top_command
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError, UnauthorizedError
from exai_trio.transport.loopback_get import Got
from exai_trio.transport.websocket import NotListening

METERS = {"calls_per_s": 1.5, "failures": None, "ended": 3, "memory_bytes": 2**20, "cpu": None, "duration_ms": dict.fromkeys(("p50", "p95", "p99"))}  # fmt: skip
OVERVIEW = {
    "version": "1", "status": "degraded", "uptime_human": "0:01", "troubles": ["disk\x1b[31m: full"], "sessions": 1, "connections": None, "meters": METERS,
    "permits": {"global": {"inflight": 1, "expected": 24, "waiting": 0}},
    "running": [{"tool": "chat", "stage": "thin\x07king", "age_s": 2.0, "provider": ""}],
}  # fmt: skip


def console():
    return Console(out=StringIO(), err=StringIO())


def test_the_screen_says_what_is_not_measured_and_obeys_nobody():
    """Nothing of what was written elsewhere reaches the terminal as a command; None is a dash."""
    shown = top_command.screen(OVERVIEW)

    assert "! disk[31m: full" in shown
    assert "- of 3" in shown
    assert "thinking" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("opens", "said"), [(None, True), (False, True), (True, False)])
async def test_the_address_is_printed_where_no_browser_opens(monkeypatch, opens, said):
    async def asked(_config, path, body):
        assert ("/api/login/code", {}) == (path, body)
        return {"code": "abc"}

    monkeypatch.setattr(dashboard_command, "asked_of_pages", asked)
    shown, urls = console(), []
    page = None if opens is None else lambda url: urls.append(url) or opens
    await dashboard_command.run(Config(), shown, page)

    assert said == ("http://127.0.0.1:8080/#code=abc\n" == shown.out.getvalue())
    assert (opens is not None) == (["http://127.0.0.1:8080/#code=abc"] == urls)


@pytest.mark.parametrize(
    ("environ", "seen"), [({}, False), ({"DISPLAY": ":0"}, True), ({"DISPLAY": ""}, False)]
)
def test_a_browser_is_opened_where_somebody_sees_it(monkeypatch, environ, seen):
    monkeypatch.setattr(dashboard_command.sys, "platform", "linux")

    assert seen == dashboard_command.has_display(environ)


@pytest.mark.parametrize(
    ("answer", "fault", "port"),
    [
        (Got(status=401, body=b'{"error": {"message": "log in"}}'), UnauthorizedError, 8080),
        (Got(status=200, body=b"<html>"), ServiceUnavailableError, 8080),
        (OSError("refused"), NotListening, 8080),
        (Got(status=200, body=b"{}"), ServiceUnavailableError, 0),
    ],
)
async def test_what_is_wrong_is_said(monkeypatch, answer, fault, port):
    """Also where the pages are off, or another program has their port."""

    async def get(*_given, **_named):
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(pages_client, "get", get)
    with pytest.raises(fault):
        await pages_client.asked_of_pages(
            Config(monitoring_port=port, ws_token="none"), "/api/overview"
        )
