"""A daemon that is killed between storing an exchange and writing down the call's outcome."""

import json
import sqlite3
from contextlib import closing

import pytest

pytestmark = pytest.mark.real

NO_OUTCOMES = """
    CREATE TRIGGER no_outcomes BEFORE INSERT ON journal_outcomes BEGIN SELECT RAISE(ABORT, 'not now'); END
"""
CALLS = {
    "chat": {"prompt": "why?", "model": "glm-4.6"},
    "debug": {
        "step": "look",
        "step_number": 1,
        "total_steps": 1,
        "next_step_required": False,
        "findings": "found",
        "model": "glm-4.6",
    },
}


@pytest.mark.parametrize("tool", CALLS)
async def test_an_exchange_is_stored_and_paid_for_once(new_place, start, until, tool):
    """The next daemon answers from what is stored: one conversation, one exchange, one request in both lives."""
    place = new_place(simulate=True)
    path = place.exai / "state" / "exai.db"
    first = start(place)
    async with place.client(protocol=2, session_id="win") as one:
        _change(path, NO_OUTCOMES)
        await one.call("r1", tool, **CALLS[tool])
        await until(lambda: _stored(path))
        asked = [len(await first.requests())]
        first.process.kill()
        first.process.wait()
    _change(path, "DROP TRIGGER no_outcomes")
    second = start(place)
    async with place.client(protocol=2, session_id="win", last_seq=1) as again:
        outcome = await again.hear_until("call_tool_res", request_id="r1")
        told = json.loads(outcome["outputs"][0]["text"])
        asked.append(len(await second.requests()))

    assert outcome["ok"]
    assert [1, 0] == asked
    assert ["user", "assistant"] == _stored(path)
    assert _conversation(path) in json.dumps(told)


def _change(path, statement):
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute(statement)


def _stored(path):
    with closing(sqlite3.connect(path, timeout=10)) as other:
        return [role for (role,) in other.execute("SELECT role FROM turns ORDER BY number")]


def _conversation(path):
    with closing(sqlite3.connect(path, timeout=10)) as other:
        ((found,),) = other.execute("SELECT id FROM conversations").fetchall()
        return found
