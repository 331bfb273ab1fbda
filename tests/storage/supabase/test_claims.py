"""Claims, references, deletion jobs and leases on the database: what many machines do at once is counted right."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

pytestmark = pytest.mark.real


def claim(number, owner, holder, **more):
    return {
        "id": f"{owner}-{number}",
        "provider": "kimi",
        "account": "a",
        "purpose": "file-extract",
        "sha256": f"{number}",
        "filename": "f",
        "size": 1,
        "owner": owner,
        "principal": "owner",
        "holder": holder,
        "lease_s": 30,
        **more,
    }


def claimed(stage, **more):
    return stage.execute("select claim_upload(%s)", json.dumps(claim(1, **more)))[0][0]


def finish(stage, upload, holder, provider_id):
    return stage.execute(
        "select finish_upload(%s, %s, %s, null, 'direct')", upload, holder, provider_id
    )[0][0]


def test_one_uploads_and_the_others_wait(stage):
    """A lease is one holder's; a hit gives the provider's id; who has held it before is told that it is reused."""
    first = claimed(stage, owner="call:1", holder="x")
    other = claimed(stage, owner="call:2", holder="y")
    again = claimed(stage, owner="call:1", holder="x")
    done = finish(stage, first["upload"], "x", "f-1")
    hit = claimed(stage, owner="call:3", holder="z")
    stranger = claimed(stage, owner="call:4", holder="z", principal="jwt:b")
    (count,) = stage.execute("select reference_count from provider_file_uploads")[0]

    assert (True, True, True) == (first["lease"], again["lease"], done)
    assert 0 < other["wait_s"] <= 30
    assert ("f-1", True, False) == (hit["provider_file_id"], hit["reused"], stranger["reused"])
    assert 4 == count


def test_an_expired_lease_is_taken_over_and_who_comes_late_leaves_a_job(stage):
    """The late holder's file is queued to be deleted, the new one's stays."""
    first = claimed(stage, owner="call:1", holder="x", lease_s=0)
    second = claimed(stage, owner="call:2", holder="y")
    good = finish(stage, second["upload"], "y", "f-good")
    late = finish(stage, first["upload"], "x", "f-late")
    jobs = stage.execute("select provider_file_id from file_deletion_jobs")

    assert (True, True, False) == (second["lease"], good, late)
    assert [("f-late",)] == jobs


def test_a_reference_counts_once_and_a_held_file_is_never_condemned(stage):
    """Said twice, counted once; without references and after the grace the id becomes a job, and a claim starts afresh."""
    upload = claimed(stage, owner="call:1", holder="x")["upload"]
    finish(stage, upload, "x", "f-1")
    for _ in range(2):
        stage.execute("select increment_file_reference(%s, 'conversation:c', 'owner')", upload)
    stage.execute("select decrement_file_reference(%s, 'call:1')", upload)
    held = stage.execute("select condemn_uploads(0, 500)")[0][0]
    for _ in range(2):
        stage.execute("select decrement_file_reference(%s, 'conversation:c')", upload)
    in_grace = stage.execute("select condemn_uploads(3600, 500)")[0][0]
    gone = stage.execute("select condemn_uploads(0, 500)")[0][0]
    afresh = claimed(stage, owner="call:9", holder="x")

    assert (0, 0, 1) == (held, in_grace, gone)
    assert (True, upload) == (afresh["lease"], afresh["upload"])


def test_a_lease_has_a_fence(stage):
    """It is one holder's until it expires; each take-over makes the fence grow."""
    taken = [
        stage.execute("select take_lease('cleanup', %s, %s)", *each)[0][0]
        for each in (("a", 30), ("b", 30), ("a", 0), ("b", 0), ("a", 30))
    ]

    assert [1, None, 1, 2, 3] == taken


def test_six_at_once_with_a_collector(stage):
    """30 contents by six users, each step twice, grace 0: one upload each, nothing that is referred to goes, counts are right."""
    uploads, lost = [], []
    stop = threading.Event()

    def work(user):
        with psycopg.connect(stage.url, autocommit=True) as connection:
            for number in range(30):
                owner = f"call:{user}-{number}"
                _hold(connection, number, owner, uploads)
                row = connection.execute(
                    "select provider_file_id from provider_file_uploads where sha256 = %s",
                    (f"{number}",),
                ).fetchone()
                if row[0] is None:
                    lost.append(owner)

    def collect():
        with psycopg.connect(stage.url, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("select condemn_uploads(0, 500)")

    with ThreadPoolExecutor(7) as pool:
        collecting = pool.submit(collect)
        for done in [pool.submit(work, user) for user in range(6)]:
            done.result()
        stop.set()
        collecting.result()
    wrong = stage.execute(
        "select id from provider_file_uploads u where reference_count <>"
        " (select count(*) from file_references r where r.upload_id = u.id)"
    )

    assert ([], []) == (lost, wrong)
    assert sorted(range(30)) == sorted(uploads)
    assert [(180,)] == stage.execute("select count(*) from file_references")


def _hold(connection, number, owner, uploads):
    """As a gateway does, each step twice."""
    while True:
        for _ in range(2):
            text = json.dumps(claim(number, owner, owner))
            (told,) = connection.execute("select claim_upload(%s)", (text,)).fetchone()
        if "provider_file_id" in told:
            return
        if told.get("lease"):
            uploads.append(number)
            for _ in range(2):
                query = "select finish_upload(%s, %s, %s, null, 'direct')"
                connection.execute(query, (told["upload"], owner, f"f-{number}"))
            return


def test_each_job_is_taken_once(stage):
    """By many collectors at once; a job that failed comes again when it is due, one that is done never."""
    stage.execute(
        "select exai_condemn('kimi', 'a', n::text, null, 'x') from generate_series(1, 200) n"
    )

    def take(holder):
        with psycopg.connect(stage.url, autocommit=True) as connection:
            rows = connection.execute(
                "select id from claim_deletion_jobs(%s, 40, 60)", (holder,)
            ).fetchall()
            for (job,) in rows:
                connection.execute("select settle_deletion_job(%s, %s, null, 0)", (job, holder))
            return [job for (job,) in rows]

    with ThreadPoolExecutor(6) as pool:
        taken = [job for jobs in pool.map(take, "abcdef") for job in jobs]

    assert len(set(taken)) == len(taken) == 200
    assert [] == stage.execute("select id from claim_deletion_jobs('z', 500, 60)")
