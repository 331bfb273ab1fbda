"""A batch of events becomes what its events become one by one, whatever the database knows of them."""

import json
import random

import psycopg
import pytest

pytestmark = pytest.mark.real
MINE, OTHER = "mine", "other"
_KEPT = (
    "select executor, boot_id, session, request, seq, attempts, lasting, frame, outcome_seq, outcome_frame from journal_calls order by 3, 4, 1",
    "select id, owner, epoch, acked, base from sessions order by 1",
)


def _call(chance, session, request):
    return {
        "session": session, "request": request, "principal": "owner", "resumable": True, "seq": chance.randrange(9), "roots": [],
        "timeout": 60.0, "at": 0.0, "attempts": chance.randrange(3), "lasting": chance.random() < 0.3, "frame": f"{chance.random()}",
    }  # fmt: skip


def _event(chance):
    session, request = chance.choice("st"), chance.choice("123")
    outcome = {"seq": chance.choice((-1, 3, 5)), "at": 1.0, "frame": chance.choice("xy")}
    going_on = _call(chance, f"handle {request}", request)
    return chance.choice(
        (
            *(("accepted", _call(chance, session, request)),) * 3,
            *(("finished", session, request, outcome),) * 4,
            ("handed over", session, request, outcome, going_on),
            ("run again", session, request),
            ("acknowledged", {session: chance.randrange(6)}, {}),
            ("numbered from", session, chance.randrange(9)),
        )
    )


def _entries(chance, count):
    return [
        {"event": _event(chance), "epoch": chance.randrange(3), "attempt": chance.choice((-1, 0, 1, 2))}
        for _ in range(count)
    ]  # fmt: skip


def _became(connection, function, home, entries):
    statement = f"select public.{function}(%s, 'boot', %s::jsonb)"
    return connection.execute(statement, (home, json.dumps(entries))).fetchone()[0]


def _tried(connection, function, entries):
    """What it tells and what is kept then; nothing of it is left."""
    with connection.transaction(force_rollback=True):
        told = _became(connection, function, MINE, entries)
        return told, [connection.execute(sql).fetchall() for sql in _KEPT]


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_becomes_what_its_events_become_one_by_one(stage, seed):
    chance = random.Random(seed)  # noqa: S311  # no secret
    seen = set()
    with psycopg.connect(stage.url) as connection:
        for _ in range(60):
            with connection.transaction(force_rollback=True):
                for home in (MINE, OTHER, MINE):
                    _became(connection, "exai_note_singly", home, _entries(chance, 6))
                batch = _entries(chance, chance.randrange(1, 9))
                in_sets = _tried(connection, "exai_note_under", batch)

                assert _tried(connection, "exai_note_singly", batch) == in_sets
                seen.update(in_sets[0])

    assert {"kept", "unknown", "untold", "stands", "superseded"} == seen
