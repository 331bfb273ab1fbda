"""Daemons that die, come late or are not there: the editor notices no more than a pause."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.real

IMPATIENT = {"EXAI_RECONNECT_MAX_S": "0.3", "EXAI_PROGRESS_INTERVAL_S": "0.1"}
SHIMS = 5
REPOSITORY = Path(__file__).resolve().parents[3]


async def test_a_killed_daemon_is_a_pause(new_place, start, editor, until):
    """One shim process outlives two daemons: the next call is answered by the new one, and a call without any daemon waits for one."""
    place = new_place()
    first = start(place)
    async with editor(place, **IMPATIENT) as one:
        await _echoed(one, "by the first")
        await _killed(first)
        second = await trio.to_thread.run_sync(start, place)
        await _echoed(one, "by the second")
        await _killed(second)
        async with trio.open_nursery() as calls:
            calls.start_soon(_echoed, one, "by the third")
            await until(lambda: any("away" in notice["message"] for notice in one.progress()))
            await trio.to_thread.run_sync(start, place)

    assert 3 == place.logged("serving")


async def _killed(daemon):
    daemon.signal(signal.SIGKILL)
    assert (-signal.SIGKILL, "") == await daemon.wait()


async def _echoed(editor, text):
    async def waits(_progress, _total, _message):
        """A callback is what makes the client send a token."""

    answer = await editor.call("test_echo", waits, prompt=text)
    assert text == json.loads(answer.content[0].text)["content"]


async def test_a_call_in_flight_runs_again(daemon, new_place, start, editor, until):
    """A model call whose daemon is killed is asked again by the next daemon, under the same idempotency key."""
    glm = f"http://127.0.0.1:{daemon.simulator}/glm/api/paas/v4"
    place = new_place(GLM_API_URL=glm, GLM_API_KEY="some.key")
    first = start(place)
    since = await daemon.last_request()
    async with editor(place, **IMPATIENT) as one, trio.open_nursery() as calls:
        calls.start_soon(_angels, one)
        await until(partial(daemon.requests, since))
        await _killed(first)
        await trio.to_thread.run_sync(start, place)
    cut, complete = await daemon.requests(since)

    assert (True, True) == (cut["disconnected"], complete["complete"])
    assert cut["headers"]["idempotency-key"] == complete["headers"]["idempotency-key"]


async def _angels(editor):
    answer = await editor.call("chat", prompt="how many angels [[simulate: hang times=1]]")
    assert "how many angels" in answer.structured_content["content"]


async def test_five_shims_start_one_daemon(new_place, until, is_running):
    """However many shims race, one daemon starts, and it answers them all; it outlives them, and ends in order."""
    place = new_place(EXAI_WS_AUTOSTART="true")
    try:
        answers = await trio.to_thread.run_sync(_five_answers, place)
        pid = _pid(place)
        assert is_running(pid)
        os.kill(pid, signal.SIGTERM)
        await until(lambda: not is_running(pid))
    finally:
        _cut(place)

    assert [f"shim {number}" for number in range(SHIMS)] == answers
    assert (1, 1) == (place.logged("serving"), place.logged("stopped"))
    assert [] == list(place.logs.glob("*.pid"))


async def test_a_checkout_that_is_not_installed_starts_its_own_daemon(new_place, until, is_running):
    """The daemon comes from the same checkout as the shim, and reads the same ENV_FILE, though it starts in another directory."""
    place = new_place(ENV_FILE="ours.env")
    (place.home / "ours.env").write_text("EXAI_WS_AUTOSTART=true\n", encoding="utf-8")
    script = _checkout(place.home / "checkout")
    try:
        answer = await trio.to_thread.run_sync(_answer, place, script)
        pid = _pid(place)
        os.kill(pid, signal.SIGTERM)
        await until(lambda: not is_running(pid))
    finally:
        _cut(place)

    assert "EXAI 9.9.9," in answer


def _checkout(folder: Path) -> Path:
    """A copy with a version of its own. Returns the shim's script."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("exai_trio", "scripts"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=ignored)
    (folder / "exai_trio" / "__init__.py").write_text('__version__ = "9.9.9"\n', encoding="utf-8")
    return folder / "scripts" / "run_ws_shim.py"


def _answer(place, script: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        input=_conversation("", tool="version"),
        cwd=place.home,
        env=place.environ,
        capture_output=True,
        timeout=40,
        check=True,
    )
    return done.stdout.decode().splitlines()[-1]


def _five_answers(place) -> list[str]:
    shims = [place.start("shim") for _ in range(SHIMS)]
    for number, shim in enumerate(shims):
        shim.stdin.write(_conversation(f"shim {number}"))
        shim.stdin.flush()
    lines = [[shim.stdout.readline(), shim.stdout.readline()] for shim in shims]
    ended = [shim.communicate(timeout=20) for shim in shims]
    assert [(b"", b"", 0)] * SHIMS == [(*out, s.returncode) for s, out in zip(shims, ended, strict=True)]  # fmt: skip
    texts = [json.loads(answer)["result"]["content"][0]["text"] for _, answer in lines]
    return [json.loads(text)["content"] for text in texts]


def _conversation(prompt: str, tool: str = "test_echo") -> bytes:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
    call = {"name": tool, "arguments": {"prompt": prompt} if prompt else {}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
    ]
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def _pid(place) -> int:
    return int((place.logs / "ws_daemon.pid").read_text(encoding="utf-8"))


def _cut(place) -> None:
    """Whatever a failed test left: every daemon of this home."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(place.exai).encode() in words:
            os.kill(int(process.name), signal.SIGKILL)
