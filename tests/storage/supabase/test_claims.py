"""Claims, references, deletion jobs and objects on the database: what many machines do at once is counted right."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

pytestmark = pytest.mark.real


def asked(connection, function, **body):
    query = f"select {function}(%s)"
    return connection.execute(query, (json.dumps(body),)).fetchone()[0]


def connected(stage):
    return psycopg.connect(stage.url, autocommit=True)


def test_six_at_once_with_a_collector(stage):
    """30 contents by six users, each step twice, grace 0: one upload each, nothing that is referred to goes, counts are right."""
    uploads, lost = [], []
    stop = threading.Event()

    def work(user):
        with connected(stage) as connection:
            for number in range(30):
                owner = f"conversation:{user}-{number}"
                connection.execute(
                    "insert into conversations (id, expires_at) values (%s, 'infinity')",
                    (owner.partition(":")[2],),
                )
                _hold(connection, number, owner, uploads)
                row = connection.execute(
                    "select provider_file_id from provider_file_uploads where sha256 = %s",
                    (f"{number}",),
                ).fetchone()
                if row[0] == "":
                    lost.append(owner)

    def collect():
        with connected(stage) as connection:
            while not stop.is_set():
                for name, stage_name in (("release_references", "release"), ("condemn_uploads", "condemn")):  # fmt: skip
                    asked(
                        connection, "exai_clean", name=name, stage=stage_name, grace=0, history=0, most=500, after=0, dry=False
                    )  # fmt: skip

    with ThreadPoolExecutor(7) as pool:
        collecting = pool.submit(collect)
        for done in [pool.submit(work, user) for user in range(6)]:
            done.result()
        stop.set()
        collecting.result()
    wrong = stage.execute(
        "select id from provider_file_uploads u where reference_count <>"
        " (select count(*) from file_references r where r.upload_id = u.id and ended_at is null)"
    )

    assert ([], []) == (lost, wrong)
    assert sorted(range(30)) == sorted(uploads)
    assert [(180,)] == stage.execute("select count(*) from file_references where ended_at is null")


def _hold(connection, number, owner, uploads):
    """As a gateway does, each step twice."""
    while True:
        for _ in range(2):
            told = asked(
                connection, "claim_upload", provider="kimi", account="a", purpose="file-extract", sha256=f"{number}",
                filename="f", size=1, method="direct", owner=owner, principal="owner", by=owner, lease_s=30,
            )  # fmt: skip
        if "held" in told:
            return
        if "fence" in told:
            uploads.append(number)
            for _ in range(2):
                asked(
                    connection, "finish_upload", upload=told["upload"], fence=told["fence"], file=f"f-{number}", filename="f",
                    principal="owner",
                )  # fmt: skip
            return


def test_each_job_is_taken_once(stage):
    """By many collectors at once; one that is done never again."""
    stage.execute(
        "insert into file_deletion_jobs (provider, account, provider_file_id)"
        " select 'kimi', 'a', n::text from generate_series(1, 200) n"
    )

    def take(_):
        with connected(stage) as connection:
            jobs = asked(
                connection, "claim_deletion_jobs", accounts=[["kimi", "a"]], most=40, lease_s=60
            )
            for job in jobs:
                assert asked(connection, "exai_finish_job", id=job["id"], fence=job["fence"])
            return [job["id"] for job in jobs]

    with ThreadPoolExecutor(6) as pool:
        taken = [job for jobs in pool.map(take, range(6)) for job in jobs]

    assert len(set(taken)) == len(taken) == 200
    assert [(0,)] == stage.execute("select count(*) from file_deletion_jobs")


def test_an_object_is_not_stored_while_it_is_deleted(stage):
    """Else the bucket would say that it is there, and it would go then. Whoever deletes has a minute."""
    given = {"sha256": "5a", "size": 3, "lease_s": 60}
    with connected(stage) as connection:
        begun = [
            asked(connection, "exai_begin_object", **given),
            asked(connection, "exai_begin_disposal", sha256="5a", even_known=False),
            asked(connection, "exai_begin_object", **given),
        ]
        stage.execute("update files set deleted_at = now() - interval '2 minutes'")
        begun.append(asked(connection, "exai_begin_object", **given))
        asked(connection, "exai_end_disposal", sha256="5a", freed=3, why="late")

    assert [True, True, False, True] == begun
    assert [("5a",)] == stage.execute("select id from files")  # which is another's by then
