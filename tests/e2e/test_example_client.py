"""The client that docs/reference shows, run against a real daemon with its simulator."""

import os
import sys
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.real

CLIENT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "example_client.py"


async def test_the_example_asks_and_prints_the_answer(daemon):
    done = await trio.run_process(
        [sys.executable, CLIENT, "What is a nursery?"],
        env={"PATH": os.environ["PATH"], "EXAI_WS_PORT": str(daemon.place.port)},
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    heard = done.stderr.decode()
    assert (0, True) == (done.returncode, "call_tool_ack" in heard), heard
    answer = done.stdout.decode()
    assert "simulated" in answer
    assert "Last user message: What is a nursery?" in answer
